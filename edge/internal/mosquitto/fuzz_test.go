package mosquitto_test

import (
	"context"
	"errors"
	"testing"

	"github.com/obedio/obedio/edge/internal/mosquitto"
	"github.com/obedio/obedio/shared/fleet"
)

func background() context.Context { return context.Background() }

func FuzzImport_AnyFilesAreReadOrRefused(f *testing.F) {
	given := files(f)
	f.Add(given.Passwd, given.Dynsec)
	f.Add("a:$7$1$$", `{"clients":[{"username":"btn-001","roles":[{"rolename":"a"},{"rolename":"b"}]}],"roles":[{"rolename":"a"},{"rolename":"a"}]}`)
	h := newHub(f, 0, buttons...)
	defer h.close()
	f.Fuzz(func(t *testing.T, passwd, dynsec string) {
		r, err := h.Import(t.Context(), by, mosquitto.Files{Passwd: passwd, Dynsec: dynsec}, nil, true)
		if err != nil && !errors.Is(err, fleet.ErrInvalid) && !errors.Is(err, fleet.ErrLimit) {
			t.Fatal(err)
		}
		for _, id := range r.Credentials {
			if !fleet.ValidSegment(string(id)) {
				t.Fatalf("%q has a password", id)
			}
		}
	})
}
