// Package output prints what a run came to, for people and for scripts.
//
// These are its rules. Results go to stdout: text, or one JSON document and nothing else. The log,
// progress, errors and hints go to stderr. An error is two lines, "error: …" and "hint: …", in
// lower case without a full stop. On a terminal, or when something failed, the text is whole; a job
// that went well says little, and one that had nothing to do says nothing. Colour and progress are
// for terminals alone. What a peer or a row has sent is printed as text: it steers no terminal and
// begins no line.
//
// It decides two exit codes, those of check and of a result that could not be written; the others
// come with the reports. It refuses to call a result written that stdout did not take: the exit
// code is then 3 instead of 0.
package output
