package api

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/obedio/obedio/edge/internal/security"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

// banView is an address that is not let in.
type banView struct {
	Address  string    `json:"address" doc:"An IPv4 address, or the first 64 bits of IPv6 ones, such as 2001:db8::/64."`
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
	Failures uint64    `json:"failures" doc:"Failed sign-ins of that address so far."`
	Username string    `json:"username,omitempty" doc:"The one that was tried last."`
}

type bansOutput struct {
	Body struct {
		Items []banView `json:"items" nullable:"false"`
	} `nameHint:"Bans"`
}

func (a *API) banRoutes() {
	tags := []string{"security"}
	rest.Register(a.rest, rest.Route{
		OperationID: "list-bans", Method: http.MethodGet, Path: "/api/v1/security/bans", Permission: account.SecurityRead,
		Summary: "Addresses that MQTT clients may not come from, after failed sign-ins", Tags: tags,
		Description: "They are in memory and end with the hub, or at their time.",
	}, func(context.Context, *struct{}) (*bansOutput, error) {
		out := &bansOutput{}
		out.Body.Items = []banView{}
		for _, b := range a.Broker.Bans() {
			v := banView{
				Address: b.Address.String(), Since: fleet.Millis(b.Since), Until: fleet.Millis(b.Until), Failures: b.Failures, Username: b.Username,
			}
			if b.Address.IsSingleIP() {
				v.Address = b.Address.Addr().String()
			}
			out.Body.Items = append(out.Body.Items, v)
		}
		return out, nil
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "lift-ban", Method: http.MethodDelete, Path: "/api/v1/security/bans/{address}", Permission: account.SecurityWrite,
		Summary: "Let an address in again", Tags: tags,
	}, func(ctx context.Context, in *struct {
		Address string `path:"address" maxLength:"64"`
	}) (*struct{}, error) {
		addr, err := netip.ParseAddr(in.Address)
		if prefix, prefixErr := netip.ParsePrefix(in.Address); prefixErr == nil {
			addr, err = prefix.Addr(), nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %q is no IP address", fleet.ErrInvalid, in.Address)
		}
		if !a.Broker.LiftBan(addr) {
			return nil, fmt.Errorf("%w: %s is not banned", fleet.ErrNotFound, in.Address)
		}
		a.record(ctx, security.AddressUnbanned, in.Address, nil)
		return nil, nil
	})
}
