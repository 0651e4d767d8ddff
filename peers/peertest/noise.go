package peertest

import "slices"

// noises are what a badly set up site writes around its XML.
var noises = map[Fault]struct{ before, behind string }{
	Notices:  {before: "<br />\n<b>Notice</b>:  Undefined index: HTTPS in <b>/var/www/config.php</b> on line <b>12</b><br />\n"},
	Warnings: {before: "\ufeff\nPHP Warning:  Cannot modify header information in /var/www/lib.php on line 7\n"},
	Footer:   {behind: "\n<br />\n<b>Warning</b>:  Unknown: Failed to write session data in <b>Unknown</b> on line <b>0</b><br />\n"},
	Comment:  {behind: "\n<!-- 0.21 s, 12 MB -->\n"},
	Padded:   {before: "\r\n \ufeff", behind: "\r\n\n"},
}

// noisy is text with what the faults of one place write around it; place is "" or the prefix of
// OnSealed and the like.
func (f faultSet) noisy(text []byte, places ...Fault) []byte {
	for fault, noise := range noises {
		for _, place := range places {
			if f.has(place + fault) {
				text = slices.Concat([]byte(noise.before), text, []byte(noise.behind))
			}
		}
	}
	return text
}

// stray says whether an answer of that form had something around its XML that no parser accepts.
func (f faultSet) stray(sealed bool) bool {
	places := []Fault{"", OnPlain("")}
	if sealed {
		places = []Fault{"", OnSealed(""), InSeal("")}
	}
	for fault := range noises {
		for _, place := range places {
			if fault != Padded && f.has(place+fault) {
				return true
			}
		}
	}
	return false
}
