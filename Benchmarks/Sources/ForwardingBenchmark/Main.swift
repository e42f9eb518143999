import ArgumentParser

/// Runs the switch's own poll loops without a generator: frames circulate in memory, through every stage, between ports whose rings are crossed.
@main struct Main: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forwarding-benchmark",
        abstract: "Sluice's data plane with rings in memory at both ends: what a poll loop does by itself.",
        subcommands: [Scaling.self, Measure.self, Turns.self, Spin.self, Count.self, Rings.self, SharedLines.self, Pauses.self], defaultSubcommand: Scaling.self)
}

/// Says why a measurement could not be made.
struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
