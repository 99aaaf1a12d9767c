// Obedio-sim simulates the devices of a site: for trying, testing and loading
// a hub. See obedio-sim --help.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/obedio/obedio/firmware-sim/internal/scenario"
	"github.com/obedio/obedio/shared/program"
)

func main() {
	os.Exit(program.Main(context.Background(), program.Config{
		Name: "obedio-sim", EnvPrefix: "OBEDIO_SIM", CLI: &commands{},
		Help: "Simulated buttons, watches, repeaters and sensors that behave like real ones, faults included.",
	}, os.Args[1:]))
}

// commands is the command line.
type commands struct {
	Run     run     `cmd:"" help:"Play a scenario and judge it."`
	Device  single  `cmd:"" help:"One device that joins by its QR code, is pressed, and goes on."`
	Load    load    `cmd:"" help:"Measure throughput and latency of a hub."`
	Link    link    `cmd:"" help:"A bad network between two programs, with a switch and counters."`
	Fleet   fleet   `cmd:"" help:"A fleet of synthetic hubs in contact with a console."`
	List    list    `cmd:"" help:"List the built-in scenarios."`
	Version version `cmd:"" help:"Print the version."`
}

type list struct{ program.Output }

// Run lists the scenarios.
func (c *list) Run(env *program.Env) error {
	type entry struct {
		Name    string `json:"name"`
		Story   string `json:"story"`
		Devices int    `json:"devices"`
		Endless bool   `json:"endless"`
	}
	var all []entry
	for _, name := range scenario.Names() {
		s, err := scenario.Load(name)
		if err != nil {
			return err
		}
		all = append(all, entry{name, s.Story, s.Devices(), s.Endless})
	}
	return c.Print(env, all, func(w io.Writer) error {
		for _, e := range all {
			end := ""
			if e.Endless {
				end = ", goes on until it is told to end"
			}
			fmt.Fprintf(w, "%s (%d devices%s)\n  %s\n", e.Name, e.Devices, end, e.Story)
		}
		return nil
	})
}

type version struct{ program.Output }

// Run prints the version.
func (c *version) Run(env *program.Env) error {
	return c.Print(env, map[string]string{"version": env.Version}, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, env.Version)
		return err
	})
}
