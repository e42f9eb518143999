import ArgumentParser

/// The switch's own poll loops without a generator: frames circulate in memory between ports whose rings are crossed, through every stage.
@main struct Main: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forwarding-benchmark",
        abstract: "Sluice's data plane with rings in memory at both ends: what a poll loop does by itself.",
        subcommands: [Scaling.self, Measure.self, Turns.self, Spin.self, Count.self, SharedLines.self], defaultSubcommand: Scaling.self)
}

/// Why a measurement could not be made.
struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
