package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Serve serves on l, with TLS if the server has settings for it, until ctx
// ends; requests under way then have the time of grace to end. nil after such
// an end.
func Serve(ctx context.Context, s *http.Server, l net.Listener, grace time.Duration) error {
	done := make(chan error, 1)
	go func() {
		if s.TLSConfig != nil {
			done <- s.ServeTLS(l, "", "")
		} else {
			done <- s.Serve(l)
		}
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := s.Shutdown(end); err != nil {
		_ = s.Close() // whoever has not ended by now is cut off
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Whole is a program as a whole.
type Whole interface {
	// Run returns when everything has stopped.
	Run(ctx context.Context) error
	// Ready is closed when every listener takes work.
	Ready() <-chan struct{}
}

// RunReady runs w, and keeps the ready file at path while it takes work; an
// empty path keeps none.
func RunReady(ctx context.Context, w Whole, path string, listeners map[string]string) error {
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	select {
	case err := <-done:
		return err
	case <-w.Ready():
	}
	remove, err := WriteReady(path, listeners)
	if err != nil {
		return err
	}
	err = <-done
	return errors.Join(err, remove())
}

// VersionCommand prints the version.
type VersionCommand struct{ Output }

// Run prints the version.
func (c *VersionCommand) Run(env *Env) error {
	return c.Print(env, map[string]string{"version": env.Version}, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, env.Version)
		return err
	})
}

// Setup reads {"username":…,"password":…} from standard input and makes the
// first administrator of the program behind l, whom people call title.
func (l *Local) Setup(ctx context.Context, env *Env, out Output, title string) error {
	var in struct {
		Username string `json:"username"`
		Password string `json:"password"`
		Name     string `json:"name,omitempty"`
	}
	if err := env.ReadJSON(&in); err != nil {
		return err
	}
	var made struct {
		UserID   string `json:"user_id"`
		Username string `json:"username"`
		Role     string `json:"role"`
	}
	if err := l.Call(ctx, http.MethodPost, "/api/v1/setup/local", nil, in, &made); err != nil {
		return err
	}
	return out.Print(env, made, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s is the first %s\n", made.Username, title)
		return err
	})
}
