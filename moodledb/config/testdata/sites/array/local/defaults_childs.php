<?php
$CFG->mnetkeylifetime = 14;
