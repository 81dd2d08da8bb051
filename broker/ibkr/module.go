package ibkr

import (
	"go.uber.org/fx"

	"robotrader/broker"
)

// Module adds the "ibkr" adapter to the group from which cmd selects. It
// starts nothing: an adapter that is not selected costs nothing.
var Module = fx.Module("broker.ibkr",
	fx.Provide(fx.Annotate(New, fx.As(new(broker.Adapter)), fx.ResultTags(`group:"broker.adapters"`))),
)
