package program

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// NewToken is what is said of a new API token on the command line.
type NewToken struct {
	Name, Role    string
	Sites, Scopes []string
	// Expires is how long it lasts; 0 for ever.
	Expires time.Duration
}

// NewUser is what is said of a new person on the command line.
type NewUser struct {
	Username, Name, Role string
	Sites                []string
}

// NewPassword says where a password comes from; embed it in the commands that
// set one.
type NewPassword struct {
	Generate bool `name:"generate-password" help:"Make a password and print it, once; else it is read from standard input."`
}

// read returns the password: one that is made, or the first line of standard
// input, or of the JSON object {"password":…} there.
func (p NewPassword) read(env *Env) (string, error) {
	if p.Generate {
		return rand.Text(), nil
	}
	b, err := io.ReadAll(io.LimitReader(env.Stdin, maxStdin))
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	var in struct {
		Password string `json:"password"`
	}
	if json.Unmarshal(b, &in) == nil && in.Password != "" {
		return in.Password, nil
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	password := strings.TrimSuffix(string(line), "\r")
	if password == "" {
		return "", Usagef("read standard input: want a password: a line, or {\"password\":…}")
	}
	return password, nil
}

// shown is the password as it is printed: only one that was made.
func (p NewPassword) shown(password string) string {
	if p.Generate {
		return password
	}
	return ""
}

// userView is what the command line shows of a person.
type userView struct {
	UserID   string   `json:"user_id"`
	Username string   `json:"username"`
	Name     string   `json:"name"`
	Role     string   `json:"role"`
	Sites    []string `json:"sites,omitempty"`
	Disabled bool     `json:"disabled"`
	Password string   `json:"password,omitempty"`
}

// print prints a person with the password that was made, if any.
func (u userView) print(env *Env, out Output, what string) error {
	return out.Print(env, u, func(w io.Writer) error {
		if u.Password != "" {
			what += " with the password " + u.Password
		}
		_, err := fmt.Fprintf(w, "%s %s\n", u.Username, what)
		return err
	})
}

// AddUser adds a person.
func (l *Local) AddUser(ctx context.Context, env *Env, out Output, n NewUser, p NewPassword) error {
	password, err := p.read(env)
	if err != nil {
		return err
	}
	in := map[string]any{"username": n.Username, "name": n.Name, "role": n.Role, "password": password}
	if len(n.Sites) > 0 {
		in["sites"] = n.Sites
	}
	var made userView
	if err := l.Call(ctx, http.MethodPost, "/api/v1/users", nil, in, &made); err != nil {
		return err
	}
	made.Password = p.shown(password)
	return made.print(env, out, "is "+made.Role)
}

// ListUsers lists people.
func (l *Local) ListUsers(ctx context.Context, env *Env, out Output) error {
	all := []userView{}
	for cursor := ""; ; {
		var page struct {
			Items []userView `json:"items"`
			Next  *string    `json:"next_cursor"`
		}
		q := url.Values{"limit": {"500"}, "cursor": {cursor}}
		if err := l.Call(ctx, http.MethodGet, "/api/v1/users?"+q.Encode(), nil, nil, &page); err != nil {
			return err
		}
		all = append(all, page.Items...)
		if page.Next == nil {
			break
		}
		cursor = *page.Next
	}
	return out.Print(env, all, func(w io.Writer) error {
		rows := [][]string{{"USERNAME", "NAME", "ROLE", "SITES", "STATE"}}
		for _, u := range all {
			state := "active"
			if u.Disabled {
				state = "disabled"
			}
			rows = append(rows, []string{u.Username, u.Name, u.Role, strings.Join(u.Sites, ","), state})
		}
		return Table(w, rows)
	})
}

// ResetUser gives a person a new password and ends their sessions: for whoever
// may read the data directory, whether the program runs or not.
func (l *Local) ResetUser(ctx context.Context, env *Env, out Output, username string, p NewPassword) error {
	var found struct {
		Items []userView `json:"items"`
	}
	q := url.Values{"username": {username}}
	if err := l.Call(ctx, http.MethodGet, "/api/v1/users?"+q.Encode(), nil, nil, &found); err != nil {
		return err
	}
	if len(found.Items) == 0 {
		return fmt.Errorf("there is no user %s", username)
	}
	u := found.Items[0]
	password, err := p.read(env)
	if err != nil {
		return err
	}
	path := "/api/v1/users/" + url.PathEscape(u.UserID) + "/password"
	if err := l.Call(ctx, http.MethodPut, path, nil, map[string]string{"password": password}, nil); err != nil {
		return err
	}
	u.Password = p.shown(password)
	return u.print(env, out, "can sign in again")
}

// AddToken makes an API token, and prints it: it is shown once.
func (l *Local) AddToken(ctx context.Context, env *Env, out Output, n NewToken) error {
	in := map[string]any{"name": n.Name, "role": n.Role}
	if len(n.Sites) > 0 {
		in["sites"] = n.Sites
	}
	if len(n.Scopes) > 0 {
		in["scopes"] = n.Scopes
	}
	if n.Expires != 0 {
		in["expires_at"] = time.Now().Add(n.Expires)
	}
	var made struct {
		ID    string `json:"id"`
		Token string `json:"token"`
	}
	if err := l.Call(ctx, http.MethodPost, "/api/v1/tokens", nil, in, &made); err != nil {
		return err
	}
	return out.Print(env, made, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, made.Token)
		return err
	})
}
