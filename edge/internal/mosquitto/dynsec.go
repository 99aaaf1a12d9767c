package mosquitto

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// dynsec is the file of Mosquitto's dynamic security plugin.
type dynsec struct {
	DefaultACLAccess defaultAccess `json:"defaultACLAccess"`
	Clients          []client      `json:"clients"`
	Groups           []group       `json:"groups"`
	Roles            []role        `json:"roles"`
	AnonymousGroup   string        `json:"anonymousGroup,omitempty"`
}

// defaultAccess is what counts where no rule of a client applies. The plugin
// denies what its file does not say.
type defaultAccess struct {
	PublishClientSend    bool `json:"publishClientSend"`
	PublishClientReceive bool `json:"publishClientReceive"`
	Subscribe            bool `json:"subscribe"`
	Unsubscribe          bool `json:"unsubscribe"`
}

type client struct {
	Username string    `json:"username"`
	ClientID string    `json:"clientid,omitempty"`
	Disabled bool      `json:"disabled,omitempty"`
	Roles    []roleRef `json:"roles"`
	Groups   []struct {
		Name     string `json:"groupname"`
		Priority int    `json:"priority"`
	} `json:"groups,omitempty"`
	Password   string `json:"password,omitempty"`
	Salt       string `json:"salt,omitempty"`
	Iterations int    `json:"iterations,omitempty"`
	// Encoded is how versions after 2.0 write all three.
	Encoded string `json:"encoded_password,omitempty"`
}

type roleRef struct {
	Name     string `json:"rolename"`
	Priority int    `json:"priority"`
}

type group struct {
	Name    string    `json:"groupname"`
	Roles   []roleRef `json:"roles"`
	Clients []struct {
		Username string `json:"username"`
		Priority int    `json:"priority"`
	} `json:"clients,omitempty"`
}

type role struct {
	Name string `json:"rolename"`
	ACLs []acl  `json:"acls"`
}

type acl struct {
	Type     string `json:"acltype"`
	Topic    string `json:"topic"`
	Priority int    `json:"priority"`
	Allow    bool   `json:"allow"`
}

func parseDynsec(text string) (dynsec, error) {
	var d dynsec
	if text == "" {
		return d, nil
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return d, fmt.Errorf("%w: dynamic security file: %w", fleet.ErrInvalid, err)
	}
	return d, nil
}

// credential is the client's password; false when it has none.
func (c client) credential() (store.Credential, bool, error) {
	switch {
	case c.Encoded != "":
		cred, err := parseHash(c.Encoded)
		return cred, true, err
	case c.Password != "":
		cred, err := decodeHash(store.Credential{Algorithm: store.PBKDF2SHA512, Iterations: c.Iterations}, c.Salt, c.Password)
		return cred, true, err
	}
	return store.Credential{}, false, nil
}

// order puts references in the plugin's order: the greatest priority first,
// then by name.
func order(refs []roleRef) []roleRef {
	refs = slices.Clone(refs)
	slices.SortStableFunc(refs, func(a, b roleRef) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Name, b.Name))
	})
	return refs
}

// sequence returns the names of a client's roles in the order in which the
// plugin asks them: its own, then those of its groups.
func (d dynsec) sequence(c client) []string {
	var groups []roleRef
	for _, g := range c.Groups {
		groups = append(groups, roleRef{g.Name, g.Priority})
	}
	for _, g := range d.Groups {
		for _, m := range g.Clients {
			if m.Username == c.Username && !slices.ContainsFunc(groups, func(r roleRef) bool { return r.Name == g.Name }) {
				groups = append(groups, roleRef{g.Name, m.Priority})
			}
		}
	}
	var names []string
	add := func(refs []roleRef) {
		for _, r := range order(refs) {
			if !slices.Contains(names, r.Name) {
				names = append(names, r.Name)
			}
		}
	}
	add(c.Roles)
	for _, ref := range order(groups) {
		for _, g := range d.Groups {
			if g.Name == ref.Name {
				add(g.Roles)
			}
		}
	}
	return names
}
