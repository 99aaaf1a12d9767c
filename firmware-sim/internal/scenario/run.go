package scenario

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/obedio/obedio/firmware-sim/internal/device"
	"github.com/obedio/obedio/firmware-sim/internal/hubapi"
	"github.com/obedio/obedio/shared/fleet"
)

// Config is what Run needs.
type Config struct {
	Script *Script
	API    *hubapi.Client
	// Broker says where the hub takes MQTT, instead of what it tells the devices
	// when they join; what is left out is as the hub tells.
	Broker device.Broker
	// Join is how devices join; ByToken if empty.
	Join Way
	// Seed of all chance.
	Seed uint64
	// Speed of simulated time; 1 if 0.
	Speed float64
	// Rate of calls in a minute, instead of the script's; 0 leaves that.
	Rate float64
	// Prefix of all device ids.
	Prefix string
	// StateFile keeps the devices between runs; empty for none.
	StateFile string
	// SaveEvery is how often an endless run writes the state file; 30 s.
	SaveEvery time.Duration
	// GoodbyeWithin is how long the devices may take to end; 3 s.
	GoodbyeWithin time.Duration
	Logger        *slog.Logger
}

// run is a scenario that runs.
type run struct {
	c       Config
	clock   *device.Clock
	api     *hubapi.Client
	members []member
	byID    map[fleet.DeviceID]*device.Device
	news    *device.Bell
	since   time.Time // the hub's clock when the run began
	streams int       // of chance, taken so far; one goroutine plays the timeline

	scheduled  sync.WaitGroup // what steps have planned
	background sync.WaitGroup // what goes on until the end

	history *History

	saving sync.Mutex // held while the state file is written

	mu       sync.Mutex // guards all below
	commands []fleet.CommandID
	races    []Race
	state    *State
}

type member struct {
	group  string
	via    fleet.DeviceID
	device *device.Device
}

// Run plays a scenario against a hub and judges it. An error means that it
// could not be played; what was expected and not found is in the report. An
// endless scenario ends with ctx, and that is no error.
func Run(ctx context.Context, c Config) (*Report, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.SaveEvery == 0 {
		c.SaveEvery = 30 * time.Second
	}
	c.Join = cmp.Or(c.Join, ByToken)
	if c.GoodbyeWithin == 0 {
		c.GoodbyeWithin = 3 * time.Second
	}
	hub, err := c.API.System(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the hub who it is: %w", err)
	}
	state, err := loadState(c.StateFile, hub)
	if err != nil {
		return nil, err
	}
	plans, profiles := c.Script.plan(c.Prefix, c.Seed, cmp.Or(c.Speed, 1))
	r := &run{
		c: c, clock: device.NewClock(c.Speed), api: c.API, byID: map[fleet.DeviceID]*device.Device{}, news: &device.Bell{}, state: state, history: newHistory(),
	}
	began := time.Now()
	for _, p := range profiles {
		if err := c.API.PutProfile(ctx, p); err != nil {
			return nil, fmt.Errorf("make security profile %s: %w", p.Name, err)
		}
	}
	err = r.provision(ctx, plans)
	if err == nil {
		err = r.crew(ctx, plans)
	}
	if err != nil {
		// Those that have joined have joined.
		return nil, errors.Join(err, state.save(c.StateFile))
	}
	if err := state.save(c.StateFile); err != nil {
		return nil, err
	}
	if !c.Script.Endless {
		// A new story begins with nobody waiting: else its presses would join the
		// requests of the last one.
		n, err := c.API.CancelOpen(ctx, func(id fleet.DeviceID) bool {
			return slices.ContainsFunc(plans, func(p planned) bool { return p.config.ID == id })
		})
		if err != nil {
			return nil, fmt.Errorf("cancel requests of an earlier run: %w", err)
		}
		if n > 0 {
			c.Logger.Info("requests of an earlier run are cancelled", "requests", n)
		}
	}
	c.Logger.Info("devices are registered", "devices", len(plans), "site", hub.Site, "took", time.Since(began).Round(time.Millisecond))

	if hub, err = c.API.System(ctx); err != nil { // its clock, after all that
		return nil, fmt.Errorf("ask the hub for its time: %w", err)
	}
	r.since, r.clock = hub.Now, device.NewClock(c.Speed)
	for _, p := range plans {
		d, err := r.make(p, state.Devices[p.config.ID])
		if err != nil {
			return nil, fmt.Errorf("make device %s: %w", p.config.ID, err)
		}
		r.members = append(r.members, member{p.group, p.via, d})
		r.byID[d.ID()] = d
	}
	for _, p := range plans {
		if p.via != "" {
			r.byID[p.config.ID].Through(r.byID[p.via])
		}
	}
	return r.live(ctx, hub)
}

func (r *run) make(p planned, kept *Kept) (*device.Device, error) {
	d := p.config
	d.BaseTopic, d.Saved, d.HubTime, d.Keep = kept.BaseTopic, kept.Firmware, kept.hubTime, r.save
	d.Broker = r.c.Broker.Or(device.BrokerAt(kept.BrokerURLs))
	d.Clock, d.News, d.Logger = r.clock, r.news, r.c.Logger
	if r.c.Script.Endless {
		d.LedgerKeep = 256
	}
	return device.New(d)
}

// live runs the devices, plays the timeline, judges, and ends the devices.
func (r *run) live(ctx context.Context, hub hubapi.System) (*Report, error) {
	report := &Report{
		Scenario: r.c.Script.Name, Seed: r.c.Seed, Speed: max(r.c.Speed, 0), Site: hub.Site, HubVersion: hub.Version,
		StartedAt: time.Now().UTC(), OK: true,
	}
	lives, end := context.WithCancel(context.WithoutCancel(ctx))
	var alive sync.WaitGroup
	for _, m := range r.members {
		alive.Go(func() {
			if err := m.device.Run(lives); err != nil {
				r.c.Logger.Error("device failed", "device_id", m.device.ID(), "error", err)
			}
		})
	}
	story, stop := context.WithCancel(ctx)
	r.observe(story)
	err := r.play(story)
	if err == nil && r.c.Script.Endless {
		r.keep(story)
	}
	if err == nil && !r.c.Script.Endless {
		r.scheduled.Wait()
		err = ctx.Err()
	}
	stop()
	r.scheduled.Wait()
	r.background.Wait()
	if err == nil && !r.c.Script.Endless {
		var e *Evidence
		if e, err = r.evidence(ctx); err == nil {
			report.judge(r.c.Script, e)
		}
	}
	end()
	r.farewell(&alive)
	report.DurationMS = time.Since(report.StartedAt).Milliseconds()
	if saveErr := r.save(); err == nil {
		err = saveErr
	}
	return report, err
}

// play plays the timeline.
func (r *run) play(ctx context.Context) error {
	for _, s := range r.c.Script.Timeline {
		if left := s.At - r.clock.Now(); left > 0 {
			if err := r.clock.Sleep(ctx, left); err != nil {
				return r.ended(err)
			}
		}
		r.c.Logger.Debug("step", "do", s.Do, "line", s.Line, "at", r.clock.Now().Round(time.Millisecond))
		if err := s.act.start(ctx, r); err != nil {
			if ctx.Err() != nil {
				return r.ended(ctx.Err())
			}
			return fmt.Errorf("line %d: %s: %w", s.Line, s.Do, err)
		}
	}
	return nil
}

// ended is the error of a story that was told to end; an endless one is meant
// to be.
func (r *run) ended(err error) error {
	if r.c.Script.Endless {
		return nil
	}
	return err
}

// keep waits for the end and writes the state file now and then.
func (r *run) keep(ctx context.Context) {
	tick := time.NewTicker(r.c.SaveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := r.save(); err != nil {
				r.c.Logger.Warn("state not saved", "error", err)
			}
			s := r.summary()
			r.c.Logger.Info("devices", "online", s.Online, "of", s.Devices, "presses", s.Presses, "accepts", s.Accepts)
		}
	}
}

// save writes the state file with what the devices keep now.
func (r *run) save() error {
	if r.c.StateFile == "" {
		return nil
	}
	r.saving.Lock() // an older copy must not be written over a newer one
	defer r.saving.Unlock()
	saved := map[fleet.DeviceID]device.Saved{}
	for _, m := range r.members {
		saved[m.device.ID()] = m.device.Saved()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, s := range saved {
		r.state.Devices[id].Firmware = s
	}
	return r.state.save(r.c.StateFile)
}

// farewell waits until the devices have said goodbye, but not for ever.
func (r *run) farewell(alive *sync.WaitGroup) {
	ended := make(chan struct{})
	go func() { alive.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(r.c.GoodbyeWithin):
		r.c.Logger.Warn("some devices did not end in time", "within", r.c.GoodbyeWithin)
	}
}

// pick returns the devices that w means, in the order of the script.
func (r *run) pick(w who, chance *rand.Rand) []*device.Device {
	var all []*device.Device
	for _, m := range r.members {
		if w.Who == "all" || m.group == w.Who {
			all = append(all, m.device)
		}
	}
	if w.Pick > 0 && w.Pick < len(all) {
		chance.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:w.Pick]
	}
	return all
}

// chance returns the next step's stream of chance.
func (r *run) chance(name string) *rand.Rand {
	r.streams++
	return device.Chance(r.c.Seed, r.c.Script.Name, name, strconv.Itoa(r.streams))
}

// after has fn run after a while of simulated time, unless ctx ends before.
func (r *run) after(ctx context.Context, d time.Duration, fn func()) {
	r.scheduled.Go(func() {
		if r.clock.Sleep(ctx, d) == nil {
			fn()
		}
	})
}

// begin has fn run until the end of the run.
func (r *run) begin(fn func()) { r.background.Go(fn) }

func (r *run) command(ctx context.Context, id fleet.DeviceID, c *command) error {
	sent, err := r.api.SendCommand(ctx, id, c.Name, c.Args, c.TTL)
	if err != nil {
		return err
	}
	if r.c.Script.Endless {
		return nil // nobody will judge it
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.commands = append(r.commands, sent.CommandID)
	return nil
}

// requests are those of this run's devices since its start.
func (r *run) requests(ctx context.Context) ([]hubapi.Request, error) {
	all, err := r.api.Requests(ctx, r.since)
	all = slices.DeleteFunc(all, func(q hubapi.Request) bool { return r.byID[q.DeviceID] == nil })
	for _, q := range all {
		r.history.request(q)
	}
	return all, err
}

func requestRuns(q hubapi.Request) bool { return !q.State.Ended() }

func (r *run) commandsNow(ctx context.Context) ([]hubapi.Command, error) {
	r.mu.Lock()
	ids := slices.Clone(r.commands)
	r.mu.Unlock()
	all := make([]hubapi.Command, 0, len(ids))
	for _, id := range ids {
		c, err := r.api.Command(ctx, id)
		if err != nil {
			return all, err
		}
		all = append(all, c)
	}
	return all, nil
}

func commandRuns(c hubapi.Command) bool { return !c.State.Ended() }
