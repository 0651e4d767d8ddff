package cmdline

const manHead = `.SH NAME
renew_mnetkeys \- renew the MNet keys of a Moodle site and prove that its peers use them
.SH SYNOPSIS
.B renew_mnetkeys
.RI [ options ]
.br
.B renew_mnetkeys
.I command
.RI [ options ]
.br
.B renew_mnetkeys help
.RI [ command ]
.br
.B renew_mnetkeys generate
.BR man | bash | zsh | fish | conf
.SH DESCRIPTION
Moodle sites trust each other over MNet. Each site has a key pair and a self\-signed certificate, which is usually valid for
28 days.
.B renew_mnetkeys
reads the database of a Moodle site or VMoodle tenant. It makes a new key pair and certificate, stores them, moves the old
pair to Moodle's key history, and purges Moodle's configuration cache. Then it sends the certificate to every peer. Finally it
asks the local site and every peer for an answer that only a site with the new certificate can give.
.PP
Nothing is published before it is stored and in use. After an interruption at any point, run
.BR "renew_mnetkeys push" :
it proves the stored key and sends it to the peers that do not have it.
.PP
With
.B \-\-all
this is done for every tenant of a VMoodle array.
.PP
Run it as the web server's user, who can read config.php and delete Moodle's cached files. Results are printed on standard
output, the log on standard error.
`

const manFiles = `.SH ENVIRONMENT
.TP
.BI MNETKEYS_ NAME
sets an option that is not on the command line: MNETKEYS_HOST for
.BR \-\-host ,
MNETKEYS_DRY_RUN for
.BR \-\-dry\-run .
A variable that names no option is an error.
.TP
.B MOODLE_CONFIG
the path of config.php, if
.B \-\-config
is not given
.TP
.B NO_COLOR
if it is set to any value, no colours are used on a terminal
.SH FILES
.TP
.I /etc/renew_mnetkeys.conf
options, one per line, as
.B name
or
.BR "name = value" .
A line that begins with # is a comment. Command line and environment take precedence. All commands can share the file: each
ignores the options of others, but refuses wrong values of theirs. The file is refused if every user can write to it. It is optional.
.TP
.I config.php
Moodle's configuration, from
.BR \-\-config ,
MOODLE_CONFIG, the working directory and upwards, or the places that
.B \-\-help
lists. The tool reads it without running it. If that is not possible, PHP evaluates it.
`

const manTail = `.SH "SEE ALSO"
.BR crontab (5),
.BR systemd.timer (5),
.BR openssl\-x509 (1ssl)
`
