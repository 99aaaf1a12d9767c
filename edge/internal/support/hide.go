package support

import (
	"log/slog"
	"reflect"
	"regexp"
	"strings"
)

// removed stands for what is not shown.
const removed = "[removed]"

// secretName reports whether values of that name are secrets or name people.
// Files are named, not shown.
func secretName(name string) bool {
	n := strings.ToLower(name)
	if strings.HasSuffix(n, "-file") || strings.HasSuffix(n, "_file") {
		return false
	}
	for _, part := range []string{"password", "passphrase", "secret", "token", "credential", "cookie", "authorization", "private", "identity"} {
		if strings.Contains(n, part) {
			return true
		}
	}
	switch n {
	case "key", "user", "username", "user_id", "subject", "person", "person_id", "email", "from", "remote", "payload", "name":
		return true
	}
	return false
}

func hide(a slog.Attr) slog.Attr {
	switch kind := a.Value.Kind(); {
	case kind == slog.KindGroup:
	case secretName(a.Key):
		a.Value = slog.StringValue(removed)
	case kind == slog.KindString, kind == slog.KindAny: // before quotes in it are escaped
		if _, isSource := a.Value.Any().(*slog.Source); !isSource {
			a.Value = slog.StringValue(string(scrub([]byte(a.Value.String()))))
		}
	}
	return a
}

// patterns are what secrets look like wherever they stand.
var patterns = []struct {
	find    *regexp.Regexp
	replace string
}{
	{regexp.MustCompile(`(?i)AGE-SECRET-KEY-[0-9A-Z-]+`), removed},
	{regexp.MustCompile(`(?i)(bearer\s+)[A-Za-z0-9._~+/=-]+`), "${1}" + removed},
	{regexp.MustCompile(`(://)[^/\s:@"]+:[^/\s@"]+(@)`), "${1}" + removed + "${2}"},
	{regexp.MustCompile(`(?i)("?(?:password|passphrase|secret|token)"?\s*[:=]\s*)("(?:[^"\\]|\\.)*"|[^\s,}]+)`), "${1}" + removed},
	{regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)`), removed},
}

// scrub returns a copy of text without what looks like a secret.
func scrub(text []byte) []byte {
	out := append([]byte(nil), text...)
	for _, p := range patterns {
		out = p.find.ReplaceAll(out, []byte(p.replace))
	}
	return out
}

// Settings are the fields of a settings struct that have a name tag, by name;
// those of structs inside it too. Secrets are removed.
func Settings(v any) map[string]any {
	out := map[string]any{}
	var walk func(reflect.Value)
	walk = func(v reflect.Value) {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			name := f.Tag.Get("name")
			switch {
			case name != "" && secretName(name):
				out[name] = removed
			case name != "":
				out[name] = v.Field(i).Interface()
				if s, ok := out[name].(interface{ String() string }); ok {
					out[name] = s.String()
				}
			case f.Type.Kind() == reflect.Struct && f.IsExported():
				walk(v.Field(i))
			}
		}
	}
	walk(reflect.ValueOf(v))
	return out
}
