package support

import (
	"archive/zip"
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestBundle_SaysWhatCouldNotBeGathered(t *testing.T) {
	var out bytes.Buffer
	b := Bundle{
		Views: map[string]any{"strange": func() {}},
		Texts: map[string]func(io.Writer) error{
			"broken": func(w io.Writer) error {
				_, _ = io.WriteString(w, "token=abc")
				return io.ErrUnexpectedEOF
			},
			"whole": func(w io.Writer) error { _, err := io.WriteString(w, "all of it"); return err },
		},
	}
	if err := b.Write(&out); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"strange.json": "not gathered: json: unsupported type", "broken.txt": "token=[removed]\nnot gathered: unexpected EOF",
		"whole.txt": "all of it", "goroutines.txt": "goroutine profile",
	} {
		f, err := z.Open(name)
		if err != nil {
			t.Errorf("the bundle has no %s: %v", name, err)
			continue
		}
		text, err := io.ReadAll(f)
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %q, %v; want %q in it", name, text, err, want)
		}
	}
}
