package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/obedio/obedio/firmware-sim/internal/hubapi"
	"github.com/obedio/obedio/shared/program"
)

// hub says where the hub is.
type hub struct {
	Hub       string `name:"hub" default:"http://127.0.0.1:8080" help:"The hub's REST address."`
	TokenFile string `name:"token-file" placeholder:"FILE" help:"File with an API token that may register devices; - for standard input."`
}

// client returns a client of the hub's REST interface.
func (h hub) client(env *program.Env) (*hubapi.Client, error) {
	if h.TokenFile == "" {
		return nil, program.Usagef("--token-file is missing: name a file with an API token that may register devices")
	}
	token, err := readToken(env, h.TokenFile)
	if err != nil {
		return nil, err
	}
	c, err := hubapi.New(hubapi.Config{URL: h.Hub, Token: token})
	if err != nil {
		return nil, program.Usagef("--hub: %s", err)
	}
	return c, nil
}

// readToken reads an API token from a file; - for standard input.
func readToken(env *program.Env, file string) (string, error) {
	in := env.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("read token: %w", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, 4096))
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if token == "" || strings.ContainsAny(token, " \r\n\t") {
		return "", errors.New("read token: want one word")
	}
	return token, nil
}
