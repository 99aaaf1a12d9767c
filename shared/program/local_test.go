package program_test

import (
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/program"
)

func TestSocket_WorksHoweverLongThePathOfItsDirectoryIs(t *testing.T) {
	for name, dir := range map[string]string{
		"short": filepath.Join(t.TempDir(), "d"),
		"long":  filepath.Join(t.TempDir(), strings.Repeat("a-long-name/", 15)),
	} {
		t.Run(name, func(t *testing.T) {
			s := program.Socket{Dir: dir, Name: "hub.sock"}
			l, err := s.Listen(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/wrong" {
					w.WriteHeader(http.StatusConflict)
					_, _ = w.Write([]byte(`{"title":"A","detail":"b","errors":[{"location":"c","message":"d"}]}`))
					return
				}
				_, _ = w.Write([]byte(`{"answer":42}`))
			})}
			go func() { _ = server.Serve(l) }()
			defer server.Close()
			if _, err := s.Listen(t.Context()); !errors.Is(err, fleet.ErrExists) {
				t.Errorf("second listener: %v", err)
			}
			local, err := s.Open(t.Context(), func() (*http.Server, func() error, error) { return nil, nil, errors.New("nobody listens") })
			if err != nil {
				t.Fatal(err)
			}
			defer local.Close()
			var got struct{ Answer int }
			if err := local.Call(t.Context(), http.MethodGet, "/", nil, nil, &got); err != nil || got.Answer != 42 {
				t.Errorf("%d, %v", got.Answer, err)
			}
			if err := local.Call(t.Context(), http.MethodPost, "/wrong", nil, got, nil); err == nil || err.Error() != "A: b; c: d" {
				t.Errorf("error answer: %v", err)
			}
		})
	}
}
