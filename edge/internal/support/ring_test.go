package support

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
)

func TestRing_KeepsTheNewestLinesAndPassesAllOn(t *testing.T) {
	var passed bytes.Buffer
	r := NewRing(slog.NewTextHandler(&passed, &slog.HandlerOptions{Level: slog.LevelDebug}), 3)
	log := slog.New(r).With("part", "a")
	log.Debug("zero")
	for _, m := range []string{"one", "two", "three", "four"} {
		log.Info(m, "long", strings.Repeat("x", 3*maxLine))
	}
	var kept bytes.Buffer
	if _, err := r.WriteTo(&kept); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(passed.String(), "msg="); n != 5 {
		t.Errorf("%d lines were passed on", n)
	}
	lines := strings.Split(strings.TrimSpace(kept.String()), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], "msg=two part=a") || !strings.Contains(lines[2], "msg=four") {
		t.Errorf("kept %d lines: %.80s…", len(lines), lines)
	}
	if kept.Len() > 3*(maxLine+1) {
		t.Errorf("%d bytes are kept", kept.Len())
	}
}

func TestScrub_RemovesWhatLooksLikeASecretAndNothingElse(t *testing.T) {
	for in, want := range map[string]string{
		"dial https://u:pw@host/x":          "dial https://[removed]@host/x",
		"Authorization: Bearer abc.def":     "Authorization: Bearer [removed]",
		`{"password":"a b","level":"ok"}`:   `{"password":[removed],"level":"ok"}`,
		"key AGE-SECRET-KEY-1QQQ end":       "key [removed] end",
		"https://console.example:8444/path": "https://console.example:8444/path",
		"3 tokens were made":                "3 tokens were made",
	} {
		if got := string(scrub([]byte(in))); got != want {
			t.Errorf("%s\nis %s\nwant %s", in, got, want)
		}
	}
}

func TestBundle_SaysWhatCouldNotBeGathered(t *testing.T) {
	var out bytes.Buffer
	b := Bundle{Texts: map[string]func(io.Writer) error{"broken": func(io.Writer) error { return io.ErrUnexpectedEOF }}}
	if err := b.Write(&out); err != nil || out.Len() == 0 {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
}
