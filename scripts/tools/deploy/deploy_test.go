// Package deploy checks what deploy/ holds as far as a machine without a
// container engine can. It is a test only.
package deploy

import (
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"go.yaml.in/yaml/v3"
)

const top = "../../.."

// The Compose specification's own loader reads the file against its schema;
// and every flag in it is one that the program has.
func TestCompose_IsValidAndNamesFlagsThatExist(t *testing.T) {
	options, err := cli.NewProjectOptions([]string{filepath.Join(top, "deploy/compose/compose.yaml")}, cli.WithName("obedio"))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sources := map[string]string{"obedio-hub": "edge/cmd/obedio-hub", "obedio-console": "console/cmd/obedio-console"}
	for name, service := range project.Services {
		program, flags := path.Base(service.Command[0]), service.Command[2:]
		cmd := exec.CommandContext(t.Context(), "go", "run", "-tags", "nomsgpack", "./"+sources[program], service.Command[1], "--help")
		cmd.Dir = top
		cmd.Env = append(cmd.Environ(), "GOWORK=")
		help, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", program, err)
		}
		for _, flag := range flags {
			flag, _, _ = strings.Cut(flag, "=")
			if !regexp.MustCompile(regexp.QuoteMeta(flag) + `[=\s]`).Match(help) {
				t.Errorf("service %s: %s %s has no flag %s", name, program, service.Command[1], flag)
			}
		}
	}
}

func TestPrometheus_ScrapesHubAndConsole(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(top, "deploy/prometheus/prometheus.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Jobs []struct {
			Name   string `yaml:"job_name"`
			Static []struct {
				Targets []string `yaml:"targets"`
			} `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, j := range file.Jobs {
		for _, s := range j.Static {
			for _, target := range s.Targets {
				if _, _, err := net.SplitHostPort(target); err != nil {
					t.Errorf("job %s: %v", j.Name, err)
				}
				found[j.Name] = true
			}
		}
	}
	if !found["obedio-hub"] || !found["obedio-console"] {
		t.Errorf("scrapes %v only", found)
	}
}
