package uplink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
	"github.com/obedio/obedio/shared/wire"
)

// session greets the console and keeps in sync until something fails.
func (u *Uplink) session(ctx context.Context) error {
	defer u.sender.Close()
	wait, err := u.hello(ctx)
	if errors.Is(err, lane.ErrBehind) || errors.Is(err, lane.ErrDiverged) {
		return u.renew(ctx, err)
	}
	if err != nil {
		return err
	}
	if u.sender.Fenced() {
		if err := u.pushAll(ctx, false); err != nil {
			return err
		}
		return errFenced
	}
	if err := u.keepCertified(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pulls := make(chan pulled, 1)
	ask := func() { go u.pull(ctx, u.sender.Ticket(), u.cursor, u.c.policyVersion(), wait, pulls) }
	ask()
	defer func() {
		cancel()
		<-pulls // the goroutine always answers
	}()

	uploads, uploading := make(chan uploaded, 1), false
	defer func() {
		if uploading {
			cancel()
			<-uploads
		}
	}()

	// Everything that is due goes up now; afterwards states go by the interval.
	withStates := true
	sent := time.Now() // states
	tick, summaries := time.NewTicker(u.tick()), time.NewTicker(u.c.SummariesEvery)
	defer tick.Stop()
	defer summaries.Stop()
	u.traffic.Open()
	if err := u.beginRound(ctx); err != nil {
		return err
	}
	for {
		if err := u.spend(ctx); err != nil {
			return err
		}
		if err := u.pushAll(ctx, withStates && u.rung.stateEvery(u.stateEvery) > 0); err != nil {
			return err
		}
		if withStates {
			sent, withStates = time.Now(), false
		}
		if u.traffic.Busy() && !uploading && u.rung.traffic() {
			if uploading, err = u.carry(ctx, uploads); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			every := u.rung.stateEvery(u.stateEvery)
			// Half a tick early is on time: the next one is later.
			withStates = every > 0 && time.Since(sent) >= every-u.tick()/2
		case <-summaries.C:
			if err := u.beginRound(ctx); err != nil {
				return err
			}
			if err := u.keepCertified(ctx); err != nil {
				return err
			}
		case <-u.resync:
			withStates = true
			if err := u.beginRound(ctx); err != nil {
				return err
			}
		case got := <-uploads:
			uploading = false
			if err := u.carried(ctx, got); err != nil {
				return err
			}
		case p := <-pulls:
			if p.err != nil {
				pulls <- pulled{} // for the deferred wait
				return p.err
			}
			err := u.take(ctx, p.orders, p.consoleTime, p.head)
			if err == nil && p.policy != nil {
				err = u.adoptPolicy(ctx, *p.policy, p.problem)
			}
			if err != nil {
				pulls <- pulled{}
				return err
			}
			ask()
		case <-u.wake:
			if again, err := u.enrolledAgain(); err != nil {
				return err
			} else if again {
				return errEnrolledAgain
			}
			if err := u.gather(ctx); err != nil {
				return err
			}
		}
	}
}

// tick is how often the session looks at its budget and its states.
func (u *Uplink) tick() time.Duration { return min(u.stateEvery, time.Minute) }

// errFenced: another hub uses this identity. Calls still go ashore.
var errFenced = fmt.Errorf("%w: another hub speaks with this one's identity: enrol one of the two anew", fleet.ErrState)

// gatherFor is how long records of lanes 1 and 3 wait for more.
const gatherFor = 200 * time.Millisecond

// gather lets more records of lanes 1 and 3 come, if none of lane 0 waits.
func (u *Uplink) gather(ctx context.Context) error {
	head, err := u.c.Store.Head(fleet.LaneRequests)
	if err != nil || uint64(head.Seq) > u.sender.Saved().Acked[fleet.LaneRequests] {
		return err
	}
	t := time.NewTimer(gatherFor)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// hello opens the session, and returns how long a pull may be held.
func (u *Uplink) hello(ctx context.Context) (time.Duration, error) {
	h, err := u.sender.Hello(u.log(), u.cursor)
	if err != nil {
		return 0, err
	}
	now, trusted := u.c.Clock.Now()
	saved := u.sender.Saved()
	m := &pb.HelloRequest{
		HubTimeMs: now.UnixMilli(), ClockTrusted: trusted, HubVersion: u.c.Version,
		ConsoleId: saved.ConsoleID, ConsoleEpoch: saved.ConsoleEpoch,
	}
	lane.EncodeHello(h, m)
	m.PolicyVersion = u.c.policyVersion()
	call, cancel := context.WithTimeout(ctx, u.c.CallTimeout)
	defer cancel()
	answer, err := u.link.client.Hello(call, connect.NewRequest(m))
	if err != nil {
		return 0, fmt.Errorf("hello: %w", err)
	}
	w, err := lane.DecodeWelcome(answer.Msg)
	if err != nil {
		return 0, fmt.Errorf("hello: %w", err)
	}
	if u.c.ConsoleTime != nil && answer.Msg.ConsoleTimeMs > 0 {
		u.c.ConsoleTime(time.UnixMilli(answer.Msg.ConsoleTimeMs))
	}
	rewound := u.sender.Rewound(w)
	if err := u.sender.OnHello(u.log(), w); err != nil {
		return 0, fmt.Errorf("hello: %w", err)
	}
	// Stored with the console's name and count, which say it no more then.
	u.takesHours, u.resend, u.renewed = w.Hours.Told, u.resend || rewound, 0
	if err := u.skip(ctx, w.OrderFloor); err != nil {
		return 0, err
	}
	if !u.sender.Fenced() && (u.sender.Wants(w) || u.sender.Epoch() != u.c.Epoch) {
		return 0, u.recover(ctx, w)
	}
	if err := u.save(ctx); err != nil {
		return 0, err
	}
	if u.failed > 0 {
		u.failed = 0
		if err := u.remember(ctx); err != nil {
			return 0, err
		}
	}
	u.govern(answer.Msg.Policy)
	u.c.Logger.Info("link is up", "console_id", w.ConsoleID, "verdict", w.Verdict)
	u.tell(func(s *Status) {
		s.State, s.LastContact, s.LastError, s.OrderHead = Online, fleet.Millis(u.c.now()), "", w.OrderHead
	})
	return u.c.PullWait, nil
}

// skip passes over orders that were for a life of the hub that is over.
func (u *Uplink) skip(ctx context.Context, floor uint64) error {
	if floor <= u.cursor {
		return nil
	}
	err := u.c.Store.Update(ctx, func(tx *store.Tx) error {
		tx.Essential()
		return tx.PutLink(cursorKey, floor)
	})
	if err != nil {
		return fmt.Errorf("store order cursor: %w", err)
	}
	u.c.Logger.Warn("orders for the hub before it was restored are passed over", "from", u.cursor+1, "to", floor)
	u.cursor = floor
	return nil
}

// adoptPolicy applies what the console wants of the site's policy. What the hub
// refuses it has answered.
func (u *Uplink) adoptPolicy(ctx context.Context, p fleet.Policy, problem error) error {
	if u.c.Policy == nil || p.Version <= u.c.Policy.Version() {
		return nil
	}
	if err := u.c.Policy.Apply(ctx, p, problem); err != nil {
		return fmt.Errorf("apply policy %d: %w", p.Version, err)
	}
	return nil
}

func (c Config) policyVersion() uint64 {
	if c.Policy == nil {
		return 0
	}
	return c.Policy.Version()
}

func (u *Uplink) save(ctx context.Context) error {
	err := u.c.Store.Update(ctx, func(tx *store.Tx) error {
		tx.Essential()
		return errors.Join(tx.PutLink(savedKey, u.sender.Saved()), tx.PutLink(resendKey, u.resend))
	})
	if err != nil {
		return fmt.Errorf("store link state: %w", err)
	}
	return nil
}

// pushAll sends until the console holds everything that is due.
func (u *Uplink) pushAll(ctx context.Context, withStates bool) error {
	target := u.c.States.StateHead()
	for {
		p, more, err := u.next(withStates)
		if err != nil || !more {
			return err
		}
		_, moved, err := u.push(ctx, p)
		if err != nil {
			return err
		}
		if !moved {
			return fmt.Errorf("push: %w: the console took nothing", fleet.ErrUnavailable)
		}
		// What changes from now on waits for the next interval.
		withStates = withStates && u.sender.Saved().Acked[fleet.LaneState] < target
	}
}

// next is what to send next, as far as the budget goes.
func (u *Uplink) next(withStates bool) (lane.Push, bool, error) {
	if rank(u.rung) >= rank(RungCalls) {
		return u.sender.Urgent(u.log(), u.c.ChunkBytes, u.cursor)
	}
	return u.sender.Push(u.log(), u.c.ChunkBytes, withStates, u.cursor)
}

// push makes one call and takes its answer: positions, rejected records and
// the orders that ride on it. moved reports whether the console holds another
// part of the lanes than before.
func (u *Uplink) push(ctx context.Context, p lane.Push) (r lane.Receipt, moved bool, err error) {
	call, cancel := context.WithTimeout(ctx, u.c.CallTimeout)
	answer, err := u.link.client.Push(call, connect.NewRequest(lane.EncodePush(p)))
	cancel()
	if err != nil {
		return r, false, fmt.Errorf("push: %w", err)
	}
	return u.answered(ctx, answer.Msg)
}

// answered takes the answer to a push.
func (u *Uplink) answered(ctx context.Context, m *pb.PushResponse) (r lane.Receipt, moved bool, err error) {
	if r, err = lane.DecodeReceipt(m); err != nil {
		return r, false, fmt.Errorf("push: %w", err)
	}
	if m.Link != nil {
		u.govern(m.Link)
	}
	if moved, err = u.sender.OnPush(u.log(), r); err != nil {
		return r, moved, fmt.Errorf("push: %w", err)
	}
	for _, d := range r.Rejected {
		u.c.Logger.Error("console set a record aside", "lane", d.Lane, "seq", d.Seq, "reason", d.Reason)
	}
	if moved {
		if err := u.save(ctx); err != nil {
			return r, moved, err
		}
	}
	u.tell(func(s *Status) { s.State, s.LastContact, s.LastError = Online, fleet.Millis(u.c.now()), "" })
	return r, moved, u.take(ctx, lane.DecodeOrders(m.Orders), m.ConsoleTimeMs, m.OrderHead)
}

// take acts on the orders that follow the cursor. consoleTime is the console's
// clock when it sent them.
func (u *Uplink) take(ctx context.Context, orders []fleet.Order, consoleTime int64, head uint64) error {
	received := time.Now()
	for _, o := range lane.Due(u.cursor, orders) {
		// The time to live counts by the console's clock until here, and by our
		// own monotonic one from here on.
		left := o.ExpiresAt.Sub(time.UnixMilli(consoleTime)) - time.Since(received)
		err := u.c.Orders.Take(ctx, o, left, func(tx *journal.Tx) error {
			at, _, err := store.TxLink[uint64](tx.Tx, cursorKey)
			if err != nil {
				return err
			}
			if at != o.Number-1 {
				return fmt.Errorf("%w: order %d after order %d", fleet.ErrState, o.Number, at)
			}
			return tx.PutLink(cursorKey, o.Number)
		})
		if err != nil {
			return fmt.Errorf("take order %d: %w", o.Number, err)
		}
		u.cursor = o.Number
	}
	u.tell(func(s *Status) {
		s.State, s.LastContact, s.LastError, s.OrderHead = Online, fleet.Millis(u.c.now()), "", max(head, u.cursor)
	})
	return nil
}

// pulled is the answer of a pull.
type pulled struct {
	orders      []fleet.Order
	consoleTime int64
	head        uint64
	policy      *fleet.Policy
	problem     error // of the policy
	err         error
}

// pull asks for orders; the console holds the call until there is one.
func (u *Uplink) pull(ctx context.Context, ticket []byte, cursor, policy uint64, wait time.Duration, out chan<- pulled) {
	call, cancel := context.WithTimeout(ctx, u.c.CallTimeout+wait)
	defer cancel()
	answer, err := u.link.client.Pull(call, connect.NewRequest(&pb.PullRequest{
		Ticket: ticket, OrderCursor: cursor, MaxBytes: uint32(u.c.ChunkBytes), WaitMs: uint32(wait.Milliseconds()),
		PolicyVersion: policy,
	}))
	if err != nil {
		out <- pulled{err: fmt.Errorf("pull: %w", err)}
		return
	}
	m := answer.Msg
	p := pulled{orders: lane.DecodeOrders(m.Orders), consoleTime: m.ConsoleTimeMs, head: m.OrderHead}
	if m.Policy != nil {
		policy, err := wire.DecodePolicy(m.Policy)
		p.policy, p.problem = &policy, err
	}
	out <- p
}
