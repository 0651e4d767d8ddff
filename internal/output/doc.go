// Package output prints the results of a run, for people and for scripts.
//
// These are its rules. Results go to stdout: text, or one JSON document and nothing else. The log,
// progress, errors and hints go to stderr. An error is two lines, "error: …" and "hint: …", in
// lower case without a full stop. On a terminal, or if something failed, the text is complete; a
// job that succeeded prints little, and one that had nothing to do prints nothing. Colour and
// progress are for terminals alone. What a peer or a row has sent is printed as text: it cannot
// control the terminal and begins no line.
//
// It decides two exit codes, those of check and of a result that could not be written; the others
// come with the reports. If stdout did not accept a result, it does not count as written: the exit
// code is then 3 instead of 0.
package output
