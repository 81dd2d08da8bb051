package risk

import "go.uber.org/fx"

// Module provides the gate, which starts nothing.
var Module = fx.Module("runner.risk", fx.Provide(New))
