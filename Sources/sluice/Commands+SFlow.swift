import ArgumentParser
import ControlAPI

struct SFlowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sflow", abstract: "What is sampled for sFlow, and what was sent.", subcommands: [Show.self], defaultSubcommand: Show.self)

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The collector, what was sent to it and what was lost, and each port's ifIndex, frames and samples.",
            discussion: "It is set under daemon in the configuration: sflow: {collector: 192.0.2.7}.")
        @OptionGroup var connecting: Connecting
        func run() throws { try reporting { try connecting.show(Methods.sflowShow, NoParams(), Tables.sflow) } }
    }
}

extension Tables {
    package static func sflow(_ status: SFlowStatus) -> String {
        guard let collector = status.collector else { return "sflow is off: write sflow: {collector: ADDRESS} under daemon" }
        var lines = ["collector \(collector) agent \(status.agent ?? "not known yet") sampling \(status.sampling) polling \(status.polling)s header \(status.header)"]
        lines.append("    sent \(status.samples) samples of frames and \(status.counterSamples) of counters in \(status.datagrams) datagrams")
        if !status.lost.isEmpty { lines.append("    lost \(reasons(status.lost))") }
        if let problem = status.problem { lines.append("    \(problem)") }
        let rows = status.ports.map { [$0.port, String($0.ifIndex), String($0.frames), String($0.samples), String($0.noRoom)] }
        return (lines + [aligned(["PORT", "IFINDEX", "FRAMES", "SAMPLES", "NO ROOM"], rows, right: [1, 2, 3, 4])]).joined(separator: "\n")
    }
}
