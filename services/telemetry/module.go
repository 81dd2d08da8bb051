package telemetry

import "go.uber.org/fx"

// Module provides the metrics, which start nothing.
var Module = fx.Module("services.telemetry", fx.Provide(NewMetrics))
