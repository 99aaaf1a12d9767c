package program_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/shared/program"
)

// grammar is a small program with settings of many kinds.
type grammar struct {
	Data  string   `help:"Directory of the data." default:"/var/lib/x"`
	Serve serveCmd `cmd:"" help:"Run."`
	Fail  failCmd  `cmd:"" help:"Fail."`
	Print printCmd `cmd:"" help:"Print."`
}

type serveCmd struct {
	MQTT    string            `name:"mqtt" default:":1883" help:"Listen here."`
	MQTTWS  string            `name:"mqtt-ws" default:":9001" help:"Listen here."`
	Limit   int               `default:"10" help:"A limit."`
	Wait    time.Duration     `default:"1s" help:"A time."`
	Verbose bool              `help:"A switch."`
	Names   []string          `help:"Some names."`
	Colour  string            `enum:"red,green" default:"red" help:"A choice."`
	TLSKey  string            `name:"tls-key-file" help:"A file."`
	Labels  map[string]string `help:"Labels."`
}

type seen struct {
	serve serveCmd
	data  string
	run   func(ctx context.Context, env *program.Env) error
}

func (c *serveCmd) Run(ctx context.Context, env *program.Env, g *grammar, s *seen) error {
	s.serve, s.data = *c, g.Data
	if s.run != nil {
		return s.run(ctx, env)
	}
	return nil
}

type failCmd struct {
	Usage bool `help:"As a wrong call."`
}

func (c *failCmd) Run() error {
	if c.Usage {
		return fmt.Errorf("fail: %w", program.Usagef("--this and --that exclude\neach other"))
	}
	return errors.New("open store /x: broken:\n\tsee the log")
}

type printCmd struct {
	program.Output
}

func (c *printCmd) Run(env *program.Env) error {
	var in struct{ Username, Password string }
	if err := env.ReadJSON(&in); err != nil {
		return err
	}
	return c.Print(env, map[string]string{"username": in.Username}, func(w io.Writer) error {
		return program.Table(w, [][]string{{"NAME", "X"}, {in.Username, "y"}})
	})
}

// run runs the program and returns its exit code and what it printed.
func run(t *testing.T, s *seen, change func(*program.Config), args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut syncBuffer
	c := program.Config{
		Name: "obedio-test", Help: "A program for tests.", EnvPrefix: "OBEDIO_TEST", CLI: &grammar{},
		Bind: []any{s}, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errOut,
	}
	if change != nil {
		change(&c)
	}
	code = program.Main(t.Context(), c, args)
	return code, out.String(), errOut.String()
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSettings_FlagThenEnvironmentThenFileThenDefault(t *testing.T) {
	path := file(t, `
# of the file
data: /from/file
mqtt: ":1"
mqtt_ws: ":2"
limit: 3
wait: 4m
verbose: true
names: [a, "b,c"]
colour: green
labels: "k=v"
`)
	t.Setenv("OBEDIO_TEST_MQTT_WS", ":22")
	t.Setenv("OBEDIO_TEST_LIMIT", "33")
	s := &seen{}
	code, _, stderr := run(t, s, nil, "serve", "--config", path, "--limit", "333")
	if code != 0 {
		t.Fatalf("%d %s", code, stderr)
	}
	want := serveCmd{
		MQTT: ":1", MQTTWS: ":22", Limit: 333, Wait: 4 * time.Minute, Verbose: true,
		Names: []string{"a", "b,c"}, Colour: "green", Labels: map[string]string{"k": "v"},
	}
	if d := cmp.Diff(want, s.serve); d != "" {
		t.Error(d)
	}
	if s.data != "/from/file" {
		t.Errorf("data is %s", s.data)
	}
	s = &seen{}
	if code, _, stderr := run(t, s, nil, "serve"); code != 0 || s.serve.MQTT != ":1883" || s.serve.Limit != 33 || s.data != "/var/lib/x" {
		t.Errorf("without a file: %d %s %+v", code, stderr, s.serve)
	}
	t.Setenv("OBEDIO_TEST_CONFIG", path)
	s = &seen{}
	if code, _, stderr := run(t, s, nil, "serve"); code != 0 || s.serve.MQTT != ":1" {
		t.Errorf("the file from the environment: %d %s %+v", code, stderr, s.serve)
	}
}

func TestSettings_NestedNamesAndSwitchingOff(t *testing.T) {
	s := &seen{}
	code, _, stderr := run(t, s, nil, "serve", "--config="+file(t, "mqtt: \"\"\ntls:\n  key-file: /k\nmqtt_ws: ':7'\n"))
	if code != 0 || s.serve.MQTT != "" || s.serve.TLSKey != "/k" || s.serve.MQTTWS != ":7" {
		t.Errorf("%d %s %+v", code, stderr, s.serve)
	}
	code, _, stderr = run(t, s, nil, "serve", "--config="+file(t, ""), "--mqtt=")
	if code != 0 || s.serve.MQTT != "" {
		t.Errorf("%d %s %+v", code, stderr, s.serve)
	}
}

func TestSettings_WrongFileNamesTheLine(t *testing.T) {
	for content, want := range map[string]string{
		"limit: 1\nlimmit: 2\n":       `x.yaml:2: unknown setting "limmit": did you mean "limit"?`,
		"colours: red\nqqqqqqqq: 1\n": `x.yaml:1: unknown setting "colours": did you mean "colour"?`,
		"qqqqqqqqqq: 1\n":             `x.yaml:1: unknown setting "qqqqqqqqqq" (see`,
		"tls:\n  kee: 1\n":            `x.yaml:2: unknown setting "kee"`,
		"limit: 1\n\nlimit: 2\n":      `x.yaml:3: "limit" is set already in line 1`,
		"mqtt-ws: a\nmqtt_ws: b\n":    `x.yaml:2: "mqtt_ws" is set already in line 1`,
		"limit: many\n":               `x.yaml:1: `,
		"wait: 3 parsecs\n":           `x.yaml:1: `,
		"\ncolour: blue\n":            `x.yaml:2: want one of red,green, not "blue"`,
		"mqtt:\n":                     `x.yaml:1: "mqtt" has no value (write "" for an empty one)`,
		"mqtt: {a: b}\n":              `x.yaml:1: "mqtt" wants a value`,
		"config: other.yaml\n":        `x.yaml:1: "config" is no setting for a file`,
		"- a\n- b\n":                  `x.yaml:1: want settings as "name: value"`,
		"a: [\n":                      "x.yaml: yaml:",
	} {
		code, _, stderr := run(t, &seen{}, nil, "serve", "--config", file(t, content))
		want = strings.TrimSuffix(want, " (see")
		if code != 2 || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "obedio-test: ") {
			t.Errorf("%q: %d %s want %s", content, code, stderr, want)
		}
	}
	code, _, stderr := run(t, &seen{}, nil, "serve", "--config", "/no/such.yaml")
	if code != 2 || !strings.Contains(stderr, "read settings /no/such.yaml: no such file or directory: check --config") {
		t.Errorf("%d %s", code, stderr)
	}
}

func TestMain_ExitCodesAndOneLine(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"serve"}, 0, ""},
		{[]string{"fail"}, 1, "obedio-test: open store /x: broken: see the log\n"},
		{[]string{"fail", "--usage"}, 2, "obedio-test: fail: --this and --that exclude each other\n"},
		{[]string{"serve", "--limmit=1"}, 2, "obedio-test: unknown flag --limmit, did you mean \"--limit\"? (see obedio-test serve --help)\n"},
		{[]string{"serve", "--limit=x"}, 2, "--limit"},
		{[]string{"bogus"}, 2, "obedio-test: unexpected argument bogus (see obedio-test --help)\n"},
		{nil, 2, "obedio-test: expected one of"},
		{[]string{"serve", "--log-format=xml"}, 2, "--log-format"},
		{[]string{"serve", "--log-level=loud"}, 2, "--log-level"},
	} {
		code, _, stderr := run(t, &seen{}, nil, c.args...)
		if code != c.code || !strings.Contains(stderr, c.want) || c.code != 0 && strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: %d %q, want %d %q", c.args, code, stderr, c.code, c.want)
		}
	}
	code, stdout, stderr := run(t, &seen{}, nil, "--help")
	if code != 0 || !strings.Contains(stdout, "A program for tests.") || stderr != "" {
		t.Errorf("help: %d %q %q", code, stdout, stderr)
	}
	code, stdout, _ = run(t, &seen{}, nil, "serve", "--help")
	if code != 0 || !strings.Contains(stdout, "OBEDIO_TEST_MQTT_WS") {
		t.Errorf("help of a command: %d %q", code, stdout)
	}
	code, stdout, _ = run(t, &seen{}, nil, "--version")
	if code != 0 || strings.TrimSpace(stdout) != program.Version() || program.Version() == "" {
		t.Errorf("version: %d %q", code, stdout)
	}
}

func TestMain_RefusesFlagsThatTakeSecrets(t *testing.T) {
	for _, cli := range []any{
		&struct {
			Password string `help:"x"`
		}{},
		&struct {
			Run struct {
				AdminToken string `help:"x"`
			} `cmd:""`
		}{},
	} {
		code, _, stderr := run(t, &seen{}, func(c *program.Config) { c.CLI = cli })
		if code != 1 || !strings.Contains(stderr, "takes a secret") {
			t.Errorf("%d %s", code, stderr)
		}
	}
}

func TestMain_SignalEndsTheContextAndTheSecondEndsAtOnce(t *testing.T) {
	signals := make(chan os.Signal, 2)
	started := make(chan struct{})
	ended := errors.New("not ended")
	s := &seen{run: func(ctx context.Context, _ *program.Env) error {
		close(started)
		<-ctx.Done()
		ended = nil
		return nil
	}}
	go func() {
		<-started
		signals <- syscall.SIGTERM
	}()
	if code, _, stderr := run(t, s, func(c *program.Config) { c.Signals = signals }, "serve"); code != 0 || ended != nil || stderr != "" {
		t.Errorf("%d %s %v", code, stderr, ended)
	}

	started, hang := make(chan struct{}), make(chan struct{})
	defer close(hang)
	s = &seen{run: func(ctx context.Context, _ *program.Env) error {
		close(started)
		<-ctx.Done()
		signals <- syscall.SIGINT
		<-hang
		return nil
	}}
	go func() {
		<-started
		signals <- syscall.SIGINT
	}()
	if code, _, stderr := run(t, s, func(c *program.Config) { c.Signals = signals }, "serve"); code != 1 || !strings.Contains(stderr, "again: ended at once") {
		t.Errorf("%d %s", code, stderr)
	}

	started = make(chan struct{})
	s = &seen{run: func(ctx context.Context, _ *program.Env) error {
		close(started)
		<-ctx.Done()
		return fmt.Errorf("wait: %w", ctx.Err())
	}}
	go func() {
		<-started
		signals <- syscall.SIGINT
	}()
	if code, _, stderr := run(t, s, func(c *program.Config) { c.Signals = signals }, "serve"); code != 1 || stderr != "obedio-test: ended by signal: interrupt\n" {
		t.Errorf("%d %s", code, stderr)
	}
}

func TestMain_RealSignal(t *testing.T) {
	s := &seen{run: func(ctx context.Context, _ *program.Env) error {
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}}
	if code, _, stderr := run(t, s, nil, "serve"); code != 0 {
		t.Errorf("%d %s", code, stderr)
	}
}

func TestMain_LogAsAsked(t *testing.T) {
	s := &seen{run: func(_ context.Context, env *program.Env) error {
		env.Log.Debug("quiet")
		env.Log.Warn("loud", "n", 1)
		return nil
	}}
	_, _, stderr := run(t, s, nil, "serve", "--log-format=json", "--log-level=warn")
	var line map[string]any
	if err := json.Unmarshal([]byte(stderr), &line); err != nil || line["msg"] != "loud" || line["n"] != float64(1) {
		t.Errorf("%q %v", stderr, err)
	}
	_, _, stderr = run(t, s, nil, "serve", "--log-level=debug")
	if strings.Count(stderr, "\n") != 2 || !strings.Contains(stderr, "msg=quiet") {
		t.Errorf("%q", stderr)
	}
}

func TestOutput_ForPeopleAndPrograms(t *testing.T) {
	in := func(s string) func(*program.Config) {
		return func(c *program.Config) { c.Stdin = strings.NewReader(s) }
	}
	body := `{"username":"anna & co","password":"x"}`
	if code, out, stderr := run(t, &seen{}, in(body), "print", "--json"); code != 0 || out != "{\"username\":\"anna & co\"}\n" {
		t.Errorf("%d %q %s", code, out, stderr)
	}
	if code, out, stderr := run(t, &seen{}, in(body), "print"); code != 0 || out != "NAME       X\nanna & co  y\n" {
		t.Errorf("%d %q %s", code, out, stderr)
	}
	for _, bad := range []string{"", "{", `{"user":"a"}`, body + body, body + " x"} {
		if code, _, stderr := run(t, &seen{}, in(bad), "print"); code != 2 || !strings.Contains(stderr, "standard input") {
			t.Errorf("%q: %d %s", bad, code, stderr)
		}
	}
}

func TestReady_AppearsWholeAndGoesAway(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ready.json")
	remove, err := program.WriteReady(path, map[string]string{"mqtt": "127.0.0.1:1883"})
	if err != nil {
		t.Fatal(err)
	}
	var r program.Ready
	data, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(data, &r) != nil {
		t.Fatalf("%s %v", data, err)
	}
	want := program.Ready{PID: os.Getpid(), Version: program.Version(), Listeners: map[string]string{"mqtt": "127.0.0.1:1883"}}
	if d := cmp.Diff(want, r); d != "" {
		t.Error(d)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("left beside it: %v, %v", files, err)
	}
	for range 2 {
		if err := remove(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}

	if remove, err = program.WriteReady(path, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(`{"pid":1}`), 0o600); err != nil { // the next process was quicker
		t.Fatal(err)
	}
	if err := remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("another's file is gone: %v", err)
	}
	if _, err := program.WriteReady(filepath.Join(dir, "no", "dir", "x"), nil); err == nil {
		t.Error("no error for a missing directory")
	}
	remove, err = program.WriteReady("", nil)
	if err != nil || remove() != nil {
		t.Errorf("an empty path: %v", err)
	}
}
