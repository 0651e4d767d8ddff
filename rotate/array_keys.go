package rotate

import (
	"context"
	"runtime"
	"sync"
)

// keyMaker makes the keys of an array, one on each core at a time, from the moment at which a
// tenant has passed its check. Keys need most of the time of a large array, and while tenants are
// checked the processor is idle: the checks wait for databases and web servers.
type keyMaker struct {
	due  chan *renewing
	stop func() // makes no further key
}

// startKeys starts to make the keys of at most n tenants. The caller stops it.
func (a *Array) startKeys(ctx context.Context, n int) *keyMaker {
	ctx, cancel := context.WithCancel(ctx)
	k := &keyMaker{due: make(chan *renewing, n)}
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for t := range k.due {
				var made generated
				if made.err = ctx.Err(); made.err == nil {
					made.key, made.err = a.Template.GenerateKey(a.Template.KeyBits)
				}
				t.key <- made
			}
		})
	}
	k.stop = func() {
		cancel()
		close(k.due)
		workers.Wait()
	}
	return k
}

// begin has the key of a tenant made; renewing.key receives it.
func (k *keyMaker) begin(t *renewing) { k.due <- t }
