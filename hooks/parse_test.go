package hooks

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestCommandIsReadInWords(t *testing.T) {
	tests := map[string]struct {
		text string
		want []string
	}{
		"one word":                              {`/usr/bin/true`, []string{"/usr/bin/true"}},
		"words between blanks":                  {" logger\t-t  mnet \t", []string{"logger", "-t", "mnet"}},
		"what stands in single quotes as it is": {`sh -c 'a "b" \ $HOME | c'`, []string{"sh", "-c", `a "b" \ $HOME | c`}},
		"escapes in double quotes":              {`e "a \"b\" \\ \$ \` + "` \\n 'c'\"", []string{"e", `a "b" \ $ ` + "` \\n 'c'"}},
		"escapes outside quotes":                {`e a\ b \' \" \\ \n \| \$x \*`, []string{"e", "a b", "'", `"`, `\`, "n", "|", "$x", "*"}},
		"parts of one word":                     {`e a'b c'"d e"f`, []string{"e", "ab cd ef"}},
		"empty words":                           {`e '' "" ''""`, []string{"e", "", "", ""}},
		"line ends in quotes":                   {"e 'a\nb' \"c\nd\"", []string{"e", "a\nb", "c\nd"}},
		"a line end behind it":                  {"e a\n", []string{"e", "a"}},
		"an equals sign behind the program":     {`e a=b --c=d`, []string{"e", "a=b", "--c=d"}},
		"~ and # within a word":                 {`e a~ b#c '~' \#`, []string{"e", "a~", "b#c", "~", "#"}},
		"other alphabets, and none":             {"e ümläut \xff\x81", []string{"e", "ümläut", "\xff\x81"}},
		"an equals sign in a quoted program":    {`'/opt/a=b/c'`, []string{"/opt/a=b/c"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := Parse(test.text)
			if err != nil || !slices.Equal(c.argv, test.want) {
				t.Errorf("%q, error %v", c.argv, err)
			}
			if got := wordsOfSh(t, test.text); test.want[0] == "e" && !slices.Equal(got, test.want) {
				t.Errorf("sh reads %q", got)
			}
		})
	}
}

func TestWhatNeedsAShellIsNoCommand(t *testing.T) {
	for text, at := range map[string]string{
		`a | b`: "| at byte 3", `a & b`: "& at byte 3", `a&`: "& at byte 2", `a; b`: "; at byte 2", `a > b`: "> at byte 3", `a 2>&1`: "> at byte 4",
		`a <b`: "< at byte 3", `a $(b)`: "$ at byte 3", `a $HOME`: "$ at byte 3", "a `b`": "` at byte 3", `a *`: "* at byte 3", `a b?`: "? at byte 4",
		`a [b]`: "[ at byte 3", `(a)`: "( at byte 1", `a b)`: ") at byte 4", `a "$HOME"`: "$ at byte 4", "a \"`b`\"": "` at byte 4",
		"a\nb": "a line's end at byte 2", "a \\\nb": "a line's end at byte 4", "a \"\\\nb\"": "a line's end at byte 5", `a ~`: "~ at byte 3", `a #b`: "# at byte 3",
		`A=b c`: "= at byte 2", `a 'b'$c`: "$ at byte 6", `a \\|b`: "| at byte 5",
	} {
		c, err := Parse(text)
		if err == nil || !strings.Contains(err.Error(), at+": write sh -c '…'") {
			t.Errorf("%s: %q, error %v", text, c.argv, err)
		}
	}
}

func TestWhatIsNoCommand(t *testing.T) {
	for text, want := range map[string]string{
		"": "the command is empty", " \t\n": "the command is empty", `'' a`: "the command's first word, the program, is empty",
		`a 'b`: "the quote ' at byte 3 of the command is not closed", `a "b\"`: "the quote \" at byte 3 of the command is not closed",
		`a b\`: "the command ends in a backslash that nothing follows", "a \x00": "a NUL stands at byte 3 of the command",
		"a \\\n": "the command ends in a backslash that nothing follows",
	} {
		if c, err := Parse(text); err == nil || err.Error() != want {
			t.Errorf("%q: %q, error %v", text, c.argv, err)
		}
	}
}

func TestErrorsOfParseDoNotShowTheCommand(t *testing.T) {
	for _, text := range []string{`curl SECRET | cat`, `curl "SECRET`, `curl SECRET\`, "curl SECRET\x00"} {
		if _, err := Parse(text); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%q: error %v", text, err)
		}
	}
	if c, _ := Parse("curl SECRET"); c.String() != "curl" {
		t.Errorf("the command is shown as %q", c)
	}
}

// wordsOfSh has sh split a command.
func wordsOfSh(t *testing.T, text string) []string {
	t.Helper()
	out, err := exec.Command("/bin/sh", "-c", "set -- "+text+"\nfor word do printf '%s\\0' \"$word\"; done").Output()
	if err != nil {
		t.Fatalf("sh does not take %q: %v", text, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

// quote writes words the way that sh, and so Parse, reads back.
func quote(words []string) string {
	var quoted []string
	for _, word := range words {
		quoted = append(quoted, "'"+strings.ReplaceAll(word, "'", `'\''`)+"'")
	}
	return strings.Join(quoted, " ")
}

func FuzzParseReadsAsShDoes(f *testing.F) {
	for _, seed := range []string{`a 'b c' "d\"e\\" f\ g`, `''`, `"\a\$" 'x'y"z"`, "a\\\tb", `{a,b} ! if x=~ a] ^ % @`, "\xff\x81\x82 \"\x83\" '\x88'", "a\rb\vc", `\#`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse("e " + text)
		if err != nil || len(text) > 1<<16 { // more is no argument for sh
			return
		}
		if want := wordsOfSh(t, "e "+text); !slices.Equal(c.argv, want) {
			t.Errorf("%q: %q, but sh reads %q", text, c.argv, want)
		}
		again, err := Parse(quote(c.argv))
		if err != nil || !slices.Equal(again.argv, c.argv) {
			t.Errorf("%q: %q after quoting, error %v", c.argv, again.argv, err)
		}
	})
}
