package mosquitto

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
)

// exporter collects what goes into the files, device by device.
type exporter struct {
	site    fleet.SiteID
	policy  *access.Policy
	passwd  strings.Builder
	clients []client
	roles   map[string][]acl
	noted   map[string]bool
	notes   []Note
}

func (x *exporter) note(entry, problem string) {
	if !x.noted[entry+problem] {
		x.noted[entry+problem] = true
		x.notes = append(x.notes, Note{File: "hub", Entry: entry, Problem: problem})
	}
}

// device adds a device with its password and its roles.
func (x *exporter) device(d fleet.Device, cred store.Credential, found bool) error {
	entry := "device " + string(d.ID)
	g, err := x.policy.Grant(x.site, d, string(d.ID))
	if err != nil {
		x.note(entry, "left out, it has no rights: "+err.Error())
		return nil //nolint:nilerr // it is noted, and the other devices are written
	}
	c := client{Username: string(d.ID), ClientID: string(d.ID), Roles: []roleRef{}}
	if !found {
		x.note(entry, "has no password")
	} else if hash, err := formatHash(cred); err != nil {
		x.note(entry, err.Error())
	} else {
		fmt.Fprintf(&x.passwd, "%s:%s\n", d.ID, hash)
		if cred.Algorithm == store.PBKDF2SHA512 {
			c.Password, c.Iterations = base64.StdEncoding.EncodeToString(cred.Verifier), cred.Iterations
			c.Salt = base64.StdEncoding.EncodeToString(cred.Salt)
		}
	}
	x.note("profile "+g.Profile, fmt.Sprintf("Mosquitto has no place for max_qos %d, retain %s, rates and certificates of one client", g.MaxQoS, retain(g.Retain)))
	origins, err := x.policy.Roles(d)
	if err != nil {
		return err
	}
	count := map[string]int{} // roles of one list so far
	for i, o := range origins {
		name := o.List
		if name == "" {
			name = strings.ReplaceAll(o.Role.Name, " ", ".")
		}
		if count[name]++; count[name] > 1 {
			name = fmt.Sprintf("%s.%d", name, count[name])
		}
		c.Roles = append(c.Roles, roleRef{Name: x.role(name, o.Role, d), Priority: len(origins) - i})
	}
	x.clients = append(x.clients, c)
	return nil
}

func retain(r access.Retain) access.Retain {
	if r == "" {
		return access.RetainStatus
	}
	return r
}

// role adds a role as one device has it, and returns its name: one for all
// where it has no variables, one for each device otherwise.
func (x *exporter) role(name string, r access.Role, d fleet.Device) string {
	rules, err := access.Compile([]access.Role{r}, access.DeviceVars(x.site, d, string(d.ID)))
	if err != nil {
		return name // the whole of the device's roles was compiled before
	}
	asked := slices.Clone(r.ACLs)
	slices.SortStableFunc(asked, func(a, b access.ACL) int { return b.Priority - a.Priority })
	next := map[access.Action]int{}
	acls := make([]acl, 0, len(asked))
	for i, a := range asked {
		if strings.Contains(a.Topic, "${") {
			name = strings.TrimSuffix(name, "."+string(d.ID)) + "." + string(d.ID)
		}
		action := a.Kind.Action()
		acls = append(acls, acl{
			Type: string(a.Kind), Topic: rules.List(action)[next[action]].Topic, Allow: a.Allow, Priority: len(asked) - i,
		})
		next[action]++
	}
	for n, free := 2, name; ; n++ {
		if have, taken := x.roles[free]; !taken || slices.Equal(have, acls) {
			x.roles[free] = acls
			return free
		}
		free = fmt.Sprintf("%s-%d", name, n)
	}
}

// file is the dynamic security file of what was added.
func (x *exporter) file() dynsec {
	d := dynsec{Clients: slices.Concat([]client{}, x.clients), Groups: []group{}, Roles: []role{}}
	for _, name := range slices.Sorted(maps.Keys(x.roles)) {
		d.Roles = append(d.Roles, role{Name: name, ACLs: x.roles[name]})
	}
	return d
}
