package envelope_test

import (
	"errors"
	"strings"
	"testing"

	"renew_mnetkeys/envelope"
)

// PHP's xmlrpc_decode was used to find out what expat says of the same texts, with the white space
// around them trimmed as Moodle's client does (mnet/xmlrpc/client.php). The only difference: expat
// accepts comments and instructions after the root, and this package does not.
func TestWhatStandsAroundADocumentIsFound(t *testing.T) {
	const mark, declaration, root = "\xef\xbb\xbf", `<?xml version="1.0" encoding="iso-8859-1"?>`, "<a><b>x</b></a>"
	const document = declaration + "\n    " + root
	for _, c := range []struct{ name, text, where, stray string }{
		{"nothing", document, "", ""},
		{"no declaration", root, "", ""},
		{"white space", "\r\n\t " + document + "\n\n", "", ""},
		{"a byte order mark", mark + document, "", ""},
		{"white space and a byte order mark", "\n" + mark + document, "", ""},
		{"a byte order mark and white space without a declaration", mark + "\n" + root, "", ""},
		{"a comment behind the declaration", strings.Replace(document, "?>", "?><!-- c -->", 1), "", ""},
		{"attributes of the root", strings.Replace(document, "<a>", "<a\nx='>'>", 1), "", ""},
		{"the root's name in a comment of the root", strings.Replace(document, "<b>", "<!-- </a> --><b>", 1), "", ""},
		{"no such root", "<html><abbr>x</abbr></html>", "", ""},
		{"a root that does not end", "x" + declaration + "<a><b>", "", ""},
		{"Latin-1 in the root", strings.Replace(document, ">x<", ">\xe9<", 1), "", ""},

		{"a byte order mark and white space", mark + "\n" + document, "before", ""},
		{"two byte order marks", mark + mark + document, "before", mark},
		{"a notice", "\nNotice: x in /a.php\n" + document, "before", "Notice: x in /a.php"},
		{"a notice behind a byte order mark", mark + "Notice" + document, "before", "Notice"},
		{"a notice that names a declaration", "Warning: <?xml version is odd\n" + document, "before", "Warning: <?xml version is odd"},
		{"a notice that names the root", "Warning: <a>\n" + document, "before", "Warning:"},
		{"a notice that is an instruction", "<?xml-x Warning ?>" + document, "before", "<?xml-x Warning ?>"},
		{"a notice in Latin-1", "Avertissement \xe9" + document, "before", "Avertissement \xe9"},
		{"a notice behind the declaration", declaration + "Notice" + root, "before", declaration + "Notice"},
		{"markup behind the declaration", declaration + "<br /><b>Notice</b>" + root, "before", declaration + "<br /><b>Notice</b>"},
		{"two declarations", declaration + document, "before", declaration},
		{"a page", "<!DOCTYPE html><html><body>" + document + "</body></html>", "before", "<!DOCTYPE html><html><body>"},
		{"a comment without a declaration", "<!-- c -->" + root, "before", "<!-- c -->"},
		{"a digit", "1" + document, "before", "1"},

		{"text behind", document + "\nfoo\n", "behind", "foo"},
		{"markup behind", document + "<br />", "behind", "<br />"},
		{"a comment behind", document + "<!-- 0.2 s -->", "behind", "<!-- 0.2 s -->"},
		{"an instruction behind", document + "<?php x ?>", "behind", "<?php x ?>"},
		{"a second root", document + root, "behind", root},
		{"text behind Latin-1", strings.Replace(document, ">x<", ">\xe9<", 1) + "foo", "behind", "foo"},
		{"a NUL", document + "\x00", "behind", "\x00"},
		{"bytes that are no text", document + "\xff", "behind", "\xff"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := envelope.CheckStray([]byte(c.text), "a")
			var stray *envelope.StrayError
			if !errors.As(err, &stray) {
				if err != nil || c.where != "" {
					t.Fatalf("%v, want something %q", err, c.where)
				}
				return
			}
			if stray.Where() != c.where || string(stray.Text) != c.stray {
				t.Errorf("%q %s, want %q %s", stray.Text, stray.Where(), c.stray, c.where)
			}
			if !errors.Is(err, envelope.ErrMalformed) || c.stray != "" && strings.Contains(err.Error(), c.stray) && len(c.stray) > 1 {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestADocumentWithSomethingAroundItIsNotRead(t *testing.T) {
	pair := testPair(t)
	document := sign(t, pair)
	body := string(seal(t, document, pair))
	for name, around := range map[string][2]string{
		"a notice":         {"\nNotice: Undefined index: x in /a.php on line 1\n", ""},
		"a page of them":   {strings.Repeat("<br />\n<b>Warning</b>: <?xml version &nbsp; <!DOCTYPE html>\n", 500), ""},
		"a footer":         {"", "<!-- 0.2 s -->"},
		"a second message": {"", body},
	} {
		changed := []byte(around[0] + body + around[1])
		if !envelope.IsSealed(changed) {
			t.Errorf("%s: not seen as sealed", name)
		}
		var stray *envelope.StrayError
		if _, err := envelope.Open(changed, pair.Private); !errors.As(err, &stray) || stray.Behind != (around[0] == "") {
			t.Errorf("%s around a seal: %v", name, err)
		}
		if _, err := envelope.ParseSigned([]byte(around[0] + string(document) + around[1])); !errors.As(err, &stray) {
			t.Errorf("%s around what was signed: %v", name, err)
		}
	}
}
