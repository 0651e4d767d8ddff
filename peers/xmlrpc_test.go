package peers

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestWhatAnswersAreReadAs(t *testing.T) {
	member := func(name, value string) string {
		return "<member><name>" + name + "</name><value>" + value + "</value></member>"
	}
	fails := errors.New("fails")
	for value, want := range map[string]any{
		"": "", " x ": "x", "<string>a</string>": "a", "\n <string> a </string>\n": " a ", "<string/>": "", "<base64>YQ==</base64>": "YQ==", "a<string>b</string>": "a",
		"<string>a<![CDATA[<b>]]>c</string>": "a<b>c", "<!-- c --><string>a&#10;&amp;</string>": "a\n&", "<string>\xe9</string>": "é",
		"<int>-5</int>": int64(-5), "<i4>5</i4>": int64(5), "<i8>5</i8>": int64(5), "<double>1.5</double>": 1.5, "<boolean>1</boolean>": true, "<boolean>0</boolean>": false, "<nil/>": nil,
		"<array><data/></array>": []any{}, "<array><data><value>x</value><value><int>4</int></value></data></array>": []any{"x", int64(4)},
		"<struct/>": map[string]any{}, "<struct>" + member("n", "v") + member("m", "<boolean>1</boolean>") + "</struct>": map[string]any{"n": "v", "m": true},
		"<int>x</int>": fails, "<int/>": fails, "<boolean>2</boolean>": fails, "<double>1e999</double>": fails, "<i9>9</i9>": fails, "<string>a<c/></string>": fails, "<string>a": fails,
		"<string>&eacute;</string>": fails, "<array/>": fails, "<array><value>x</value></array>": fails, "<array><data><string>x</string></data></array>": fails,
		"<struct><value>v</value></struct>": fails, "<struct><member><value>v</value></member></struct>": fails, "<struct><member><name>n</name></member></struct>": fails,
		strings.Repeat("<array><data><value>", 40) + strings.Repeat("</value></data></array>", 40): fails,
		"<array><data>" + strings.Repeat("<value/>", maxTags) + "</data></array>":                  fails,
	} {
		got, refused, err := decodeAnswer([]byte("<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><methodResponse><params><param><value>" + value + "</value></param></params></methodResponse>"))
		if want == fails && err == nil || want != fails && (err != nil || !reflect.DeepEqual(got, want)) || refused != nil {
			t.Errorf("%.100s: %.100v, %v, error %v", value, got, refused, err)
		}
	}
	for value, want := range map[string]*fault{
		"<struct>" + member("faultCode", "<int>7025</int>") + member("faultString", "<string>no</string>") + "</struct>": {7025, "no"},
		"<struct>" + member("faultString", "no") + member("faultCode", "<i4>7025</i4>") + "</struct>":                    {7025, "no"},
		"<struct>" + member("faultString", "no") + "</struct>":                                                           {0, "no"},
		"<struct>" + member("faultCode", "<string>7025</string>") + "</struct>":                                          nil,
		"<struct>" + member("faultString", "<int>7025</int>") + "</struct>":                                              nil,
		"<string>no</string>": nil,
		"<nil/>":              nil,
	} {
		got, refused, err := decodeAnswer([]byte("<methodResponse><fault><value>" + value + "</value></fault></methodResponse>"))
		if got != nil || !reflect.DeepEqual(refused, want) || (err == nil) != (want != nil) {
			t.Errorf("%s: %v, %v, error %v", value, got, refused, err)
		}
	}
}

func TestACallIsEscaped(t *testing.T) {
	const want = `<?xml version="1.0" encoding="UTF-8"?><methodCall><methodName>system/keyswap</methodName><params>` +
		`<param><value><string>a&lt;&amp;&gt;&#xA;&#34;é\uFFFD</string></value></param><param><value><int>1</int></value></param></params></methodCall>`
	if got := string(encodeCall("system/keyswap", "a<&>\n\"é\x01", 1)); got != strings.ReplaceAll(want, `\uFFFD`, "\uFFFD") {
		t.Errorf("%s", got)
	}
}
