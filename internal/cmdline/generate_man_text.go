package cmdline

const manHead = `.SH NAME
renew_mnetkeys \- renew the MNet keys of a Moodle and prove that its peers use them
.SH SYNOPSIS
.B renew_mnetkeys
.RI [ options ]
.br
.B renew_mnetkeys
.I command
.RI [ options ]
.br
.B renew_mnetkeys generate
.BR man | bash | zsh | fish | conf
.SH DESCRIPTION
Moodle sites trust each other over MNet: each has a key pair and a self\-signed certificate, which lives 28 days.
.B renew_mnetkeys
reads the database of a Moodle site or VMoodle tenant, makes a new key pair and certificate, stores them with the old pair in
Moodle's history, and drops Moodle's cached copy. Then it sends the certificate to every peer, and asks each of them, and the
site itself, for an answer that only a holder of the new certificate can give.
.PP
Nothing is published before it is stored and in use. After an interruption at any point,
.B renew_mnetkeys push
proves the stored key and sends it to the peers that do not have it.
.PP
With
.B \-\-all
it does so for every tenant of a VMoodle array.
.PP
It is to be run as the web server's user, who can read config.php and delete Moodle's cached files. Results are on standard
output, the log is on standard error.
`

const manTail = `.SH ENVIRONMENT
.TP
.BI MNETKEYS_ NAME
stands for an option that is not on the command line: MNETKEYS_HOST for
.BR \-\-host ,
MNETKEYS_DRY_RUN for
.BR \-\-dry\-run .
One that names no option is an error.
.TP
.B MOODLE_CONFIG
the path of config.php, where
.B \-\-config
is not given
.TP
.B NO_COLOR
where it is set to anything, a terminal gets no colours
.SH FILES
.TP
.I /etc/renew_mnetkeys.conf
options, one a line, as
.B name
or
.BR "name = value" ;
a line that begins with # is a comment. The command line and the environment win. The same file serves all commands: each
passes over the options of others. It is refused where everybody may write it, and need not be there.
.TP
.I config.php
Moodle's, from
.BR \-\-config ,
MOODLE_CONFIG, the working directory and upwards, or the places that
.B \-\-help
lists. What it computes PHP evaluates; else it is only read.
.SH EXAMPLES
What would be done, and which peers can be reached:
.PP
.RS
.EX
sudo \-u www\-data renew_mnetkeys \-\-host=https://tenant.example.org \-\-dry\-run
.EE
.RE
.PP
Every day from cron, silent unless something failed:
.PP
.RS
.EX
renew_mnetkeys \-\-config=/var/www/moodle/config.php \-\-all \-\-if\-due \-\-quiet
.EE
.RE
.PP
From Nagios or Icinga:
.PP
.RS
.EX
renew_mnetkeys check \-\-host=https://tenant.example.org \-\-warning=7d \-\-critical=2d
.EE
.RE
.PP
What is wrong, and what to do:
.PP
.RS
.EX
renew_mnetkeys doctor \-\-all
.EE
.RE
.SH "SEE ALSO"
.BR crontab (5),
.BR systemd.timer (5),
.BR openssl\-x509 (1ssl)
`
