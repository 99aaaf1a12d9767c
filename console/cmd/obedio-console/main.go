// Obedio-console is the shore-side program for fleet managers: it provisions
// sites, queues commands for them, and shows the fleet. See obedio-console
// --help.
package main

import (
	"context"
	"os"

	"github.com/obedio/obedio/shared/program"
)

func main() {
	os.Exit(program.Main(context.Background(), program.Config{
		Name: "obedio-console", EnvPrefix: "OBEDIO_CONSOLE", CLI: &commands{},
		Help: "The console of a fleet: sites, their hubs, commands for them, and how old what is known is.",
	}, os.Args[1:]))
}

// commands is the command line.
type commands struct {
	Serve    serve                  `cmd:"" help:"Run the console."`
	Setup    setup                  `cmd:"" help:"Make the first owner, from standard input."`
	Site     site                   `cmd:"" help:"Sites: add, list, show, claim, revoke."`
	User     user                   `cmd:"" help:"People: add, list, reset a password."`
	Audit    audits                 `cmd:"" help:"Who changed what at the console, or on a site: list, verify, export."`
	Token    token                  `cmd:"" help:"API tokens for programs."`
	Sync     syncing                `cmd:"" help:"How far the console is in sync with a site's hub."`
	Restored restored               `cmd:"" help:"Say that the store was put back from an old copy, before the console is started on it again."`
	OpenAPI  openAPI                `cmd:"" name:"openapi" help:"Print the OpenAPI document."`
	Version  program.VersionCommand `cmd:"" help:"Print the version."`
}
