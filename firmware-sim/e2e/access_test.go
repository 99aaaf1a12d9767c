package e2e

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Made by mosquitto_passwd and mosquitto_ctrl of Mosquitto 2.0.11; the password
// is "pw-one-one".
const (
	oldPasswd = "btn-001:$7$101$L36ATOsOO1Xy9OiA$yE1/FDW+dXptm6ljmZ22EsXXHULN9/o4QhoC0SosMjoLjiU7uVpQC3fZAymufwtNT8rm1GeCBlKp+0bioW1hSw==\n" +
		"stranger:$7$101$L36ATOsOO1Xy9OiA$yE1/FDW+dXptm6ljmZ22EsXXHULN9/o4QhoC0SosMjoLjiU7uVpQC3fZAymufwtNT8rm1GeCBlKp+0bioW1hSw==\n"
	oldDynsec = `{"defaultACLAccess":{"publishClientSend":false,"publishClientReceive":true,"subscribe":false,"unsubscribe":true},
		"clients":[{"username":"btn-001","roles":[{"rolename":"presses","priority":1}]}],"groups":[],
		"roles":[{"rolename":"presses","acls":[
			{"acltype":"publishClientSend","topic":"obedio/yacht-1/cabin-101/button/btn-001/press","priority":1,"allow":true},
			{"acltype":"subscribePattern","topic":"obedio/yacht-1/cabin-101/button/btn-001/cmd/#","priority":0,"allow":true}]}]}`
)

func TestMosquittoFiles_DeviceMovesWithItsPasswordAndRights(t *testing.T) {
	t.Parallel()
	hub, api, data := startHub(t)
	api.addDevice("btn-001", "button", "cabin-101")
	dir := t.TempDir()
	passwd, dynsec := filepath.Join(dir, "passwd"), filepath.Join(dir, "dynsec.json")
	for name, text := range map[string]string{passwd: oldPasswd, dynsec: oldDynsec} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	type report struct {
		Credentials, ACLs []string
		Notes             []struct {
			Line  int
			Entry string
		}
	}
	load := func(more ...string) (r report) {
		t.Helper()
		args := append([]string{"import", "mosquitto", "--data", data, "--passwd", passwd, "--dynsec", dynsec, "--json"}, more...)
		if err := json.Unmarshal([]byte(cli(t, "", "obedio-hub", args...)), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	dry := load("--dry-run")
	if acls := list[map[string]any](api, "/api/v1/security/acl"); len(acls) != 0 || len(dry.ACLs) != 2 {
		t.Fatalf("dry run: %+v, and there are %v", dry, acls)
	}
	if r := load(); len(r.Credentials) != 1 || len(r.Notes) != 1 || r.Notes[0].Line != 2 || r.Notes[0].Entry != "user stranger" {
		t.Fatalf("%+v", r)
	}

	publish := func(addr, topic string) string {
		t.Helper()
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "mosquitto_pub", "-h", host, "-p", port, "-V", "5", "-i", "btn-001", "-u", "btn-001",
			"-P", "pw-one-one", "-q", "1", "-t", topic, "-m", `{"press_type":"single","sequence_id":1,"boot_id":"b1"}`).CombinedOutput()
		if err != nil && !strings.Contains(string(out), "ot authorized") {
			t.Fatalf("%v %s", err, out)
		}
		return string(out)
	}
	const base = "obedio/yacht-1/cabin-101/button/btn-001"
	if out := publish(hub.Listeners["mqtt"], base+"/press"); out != "" {
		t.Errorf("the press that it may send: %s", out)
	}
	if out := publish(hub.Listeners["mqtt"], base+"/heartbeat"); !strings.Contains(out, "ot authorized") {
		t.Errorf("a heartbeat, which its old broker refused: %q", out)
	}
	var asked struct {
		Allowed bool
		Role    string
	}
	out := cli(t, "", "obedio-hub", "acl", "test", "--data", data, "--client", "btn-001", "--action", "publish", "--topic", base+"/press", "--json")
	if err := json.Unmarshal([]byte(out), &asked); err != nil || !asked.Allowed || asked.Role != "presses" {
		t.Errorf("%v %s", err, out)
	}

	cli(t, "", "obedio-hub", "export", "mosquitto", "--data", data, "--passwd", passwd, "--dynsec", dynsec)
	if r := load(); len(r.ACLs) != 0 || len(r.Credentials) != 1 {
		t.Errorf("what was brought out and in again changes %+v", r)
	}
}
