// Obedio-hub is the program of one site: MQTT broker, call handling, commands,
// local web UI. See obedio-hub --help.
package main

import (
	"context"
	"os"

	"github.com/obedio/obedio/shared/program"
)

func main() {
	os.Exit(program.Main(context.Background(), program.Config{
		Name: "obedio-hub", EnvPrefix: "OBEDIO_HUB", CLI: &commands{},
		Help: "The hub of one site: MQTT broker, calls, commands and local web UI. It needs nobody else to work.",
	}, os.Args[1:]))
}

// commands is the command line.
type commands struct {
	Serve     serve                  `cmd:"" help:"Run the hub."`
	Setup     setup                  `cmd:"" help:"Make the first administrator, from standard input."`
	Enroll    enroll                 `cmd:"" help:"Enrol the hub at a console, with the console's claim file."`
	Device    device                 `cmd:"" help:"Devices: add, list, move, remove."`
	Provision provisioning           `cmd:"" help:"Let devices join by token, code or label."`
	Cert      certificates           `cmd:"" help:"Certificates of the site's authority: list, issue, revoke."`
	Clock     clock                  `cmd:"" help:"The hub's clock: show, set."`
	Import    importing              `cmd:"" help:"Import devices, or what Mosquitto knows, from files."`
	Export    exporting              `cmd:"" help:"Write what other brokers read."`
	ACL       acls                   `cmd:"" name:"acl" help:"Rights on the broker: test, list."`
	Profile   profiles               `cmd:"" help:"Security profiles: list."`
	Command   sendingOne             `cmd:"" help:"Commands to devices."`
	User      user                   `cmd:"" help:"People: add, list, reset a password."`
	Token     token                  `cmd:"" help:"API tokens for programs."`
	Backup    backingUp              `cmd:"" help:"Make a backup, also while the hub runs."`
	Restore   restoring              `cmd:"" help:"Make a backup the data of a hub that does not run."`
	Verify    verifying              `cmd:"" help:"Read all data, or a backup, and say what is wrong."`
	Health    healthcheck            `cmd:"" name:"healthcheck" help:"Ask whether the hub takes work: exit code 0 or 1."`
	Support   supporting             `cmd:"" help:"Write a file for those who help; no secrets are in it."`
	Audit     audits                 `cmd:"" help:"Who changed what, and what happened to the security: list, verify, export."`
	Sync      syncing                `cmd:"" help:"How far the console is in sync."`
	OpenAPI   openAPI                `cmd:"" name:"openapi" help:"Print the OpenAPI document."`
	Version   program.VersionCommand `cmd:"" help:"Print the version."`
}
