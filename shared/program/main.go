package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit codes of every program.
const (
	ExitOK     = 0
	ExitFailed = 1
	ExitUsage  = 2
)

// Config says what a program is. Name, EnvPrefix and CLI are required; zero
// fields take the defaults.
type Config struct {
	// Name is the program's name, such as "obedio-hub".
	Name string
	// Help is one sentence about it.
	Help string
	// EnvPrefix begins the environment variables: "OBEDIO_HUB".
	EnvPrefix string
	// CLI points to the grammar: a struct with commands as kong takes it. Each
	// command has Run with any of these arguments: context.Context, *Env, and
	// what Bind adds.
	CLI any
	// Bind are further arguments of Run methods.
	Bind []any

	// Stdin, Stdout and Stderr are those of the process by default.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Signals that end the program; those of the process by default.
	Signals <-chan os.Signal
}

// Env is what a command gets from Main.
type Env struct {
	// Name and Version are those of the program.
	Name, Version  string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Log writes to Stderr as --log-format and --log-level say.
	Log *slog.Logger
}

// settings are the flags that every program has.
type settings struct {
	Config    string      `name:"config" placeholder:"FILE" help:"Read settings from this YAML file."`
	LogFormat string      `name:"log-format" enum:"text,json" default:"text" help:"Write the log as text or json."`
	LogLevel  string      `name:"log-level" enum:"debug,info,warn,error" default:"info" help:"Log what is at least this important: debug, info, warn or error."`
	Version   versionFlag `name:"version" help:"Print the version and end." env:"-"`
}

type versionFlag bool

// BeforeReset prints the version and ends.
func (versionFlag) BeforeReset(k *kong.Kong) error {
	fmt.Fprintln(k.Stdout, Version())
	k.Exit(ExitOK)
	return nil
}

// exitNow carries an exit code out of kong, which would end the process.
type exitNow int

// Main runs the command that args name and returns the exit code. The context
// of the command ends at the first SIGINT, SIGTERM or SIGHUP; at the second
// Main returns at once.
func Main(ctx context.Context, c Config, args []string) int {
	if c.Stdin == nil {
		c.Stdin = os.Stdin
	}
	if c.Stdout == nil {
		c.Stdout = os.Stdout
	}
	if c.Stderr == nil {
		c.Stderr = os.Stderr
	}
	run, code := c.parse(args)
	if run == nil {
		return code
	}
	signals := c.Signals
	if signals == nil {
		ch := make(chan os.Signal, 2)
		signal.Notify(ch, endSignals()...)
		defer signal.Stop(ch)
		signals = ch
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	var got os.Signal
	for {
		select {
		case err := <-done:
			return c.report(err, got)
		case s := <-signals:
			if got != nil {
				fmt.Fprintf(c.Stderr, "%s: %s again: ended at once\n", c.Name, s)
				return ExitFailed
			}
			got = s
			cancel()
		}
	}
}

// endSignals are those that end a program. SIGHUP stays ignored where it is
// (nohup).
func endSignals() []os.Signal {
	s := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		s = append(s, syscall.SIGHUP)
	}
	return s
}

// parse reads args and settings. It returns what to run, or nil and the exit
// code when there is nothing to run.
func (c Config) parse(args []string) (run func(context.Context) error, code int) {
	defer func() {
		if v := recover(); v != nil {
			e, ok := v.(exitNow)
			if !ok {
				panic(v)
			}
			run, code = nil, int(e)
		}
	}()
	var common settings
	file := &fileSettings{}
	k, err := kong.New(c.CLI,
		kong.Name(c.Name), kong.Description(c.Help),
		kong.Writers(c.Stdout, c.Stderr),
		kong.Exit(func(code int) { panic(exitNow(code)) }),
		kong.Embed(&common),
		kong.DefaultEnvars(c.EnvPrefix),
		kong.Resolvers(file),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Vars{"version": Version()},
	)
	if err == nil {
		err = noSecretFlags(k.Model.Node)
	}
	if err != nil {
		fmt.Fprintf(c.Stderr, "%s: the program's settings are wrong: %s\n", c.Name, oneLine(err))
		return nil, ExitFailed
	}
	// --config is looked for first: the file takes part in parsing the rest.
	if path := configPath(args, c.EnvPrefix); path != "" {
		if err := file.load(path, k.Model.Node); err != nil {
			fmt.Fprintf(c.Stderr, "%s: %s\n", c.Name, oneLine(err))
			return nil, ExitUsage
		}
	}
	kctx, err := k.Parse(args)
	if err != nil {
		fmt.Fprintf(c.Stderr, "%s: %s (see %s --help)\n", c.Name, oneLine(err), c.command(err))
		return nil, ExitUsage
	}
	env := &Env{
		Name: c.Name, Version: Version(), Stdin: c.Stdin, Stdout: c.Stdout, Stderr: c.Stderr,
		Log: newLog(c.Stderr, common.LogFormat, common.LogLevel),
	}
	return func(ctx context.Context) error {
		kctx.BindTo(ctx, (*context.Context)(nil))
		return kctx.Run(append([]any{env}, c.Bind...)...)
	}, 0
}

// command is what the help of err's command is asked with.
func (c Config) command(err error) string {
	var p *kong.ParseError
	if errors.As(err, &p) && p.Context != nil {
		if cmd := p.Context.Command(); cmd != "" {
			words := strings.Fields(cmd)
			for len(words) > 0 && strings.HasPrefix(words[len(words)-1], "<") {
				words = words[:len(words)-1]
			}
			return strings.Join(append([]string{c.Name}, words...), " ")
		}
	}
	return c.Name
}

// report says what went wrong, if anything did.
func (c Config) report(err error, got os.Signal) int {
	switch {
	case err == nil:
		return ExitOK
	case got != nil && errors.Is(err, context.Canceled):
		fmt.Fprintf(c.Stderr, "%s: ended by signal: %s\n", c.Name, got)
		return ExitFailed
	}
	fmt.Fprintf(c.Stderr, "%s: %s\n", c.Name, oneLine(err))
	if errors.Is(err, ErrUsage) {
		return ExitUsage
	}
	return ExitFailed
}

// ErrUsage marks errors of a command that was called wrongly (exit code 2).
var ErrUsage = errors.New("called wrongly")

type usageError struct{ text string }

func (e usageError) Error() string { return e.text }
func (e usageError) Unwrap() error { return ErrUsage }

// Usagef returns an error that ends the program with exit code 2.
func Usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

func newLog(w io.Writer, format, level string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo // the flag's enum leaves no other
	}
	opts := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
