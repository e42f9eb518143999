import ArgumentParser
import Foundation
import TrafficGenerator

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a scenario (YAML or JSON; `sluice-gen example` prints one).",
        discussion: """
            All ports are polled by one thread on one CPU. Frames are counted without FCS. The exit status is 0 when all \
            expectations of the scenario are met, 1 when not, 2 when the scenario or the machine refuses.

            With --control, standard input takes one command a line: `rate FLOW[,FLOW] RATE` (a name may end in *), `stats`, \
            `quit`. Each is answered with a line of JSON.
            """)

    @Argument(help: "The scenario's file; - is standard input.") var scenario: String
    @Option(help: "The CPU that sends and receives (default: the last one allowed).") var cpu: Int?
    @Option(help: "Take memory from this hugetlbfs mount instead of ordinary memory.") var hugeDir: String?
    @Option(help: "Overrides the scenario's duration (5s).") var duration: String?
    @Flag(help: "Announce all source addresses before the run.") var learn = false
    @Option(help: ArgumentHelp("Write the report as JSON; - is standard output.", valueName: "file")) var json: String?
    @Option(help: ArgumentHelp("Write the latency of all flows as a percentile distribution, as HdrHistogram's plotter reads it.", valueName: "file"))
    var hgrm: String?
    @Option(name: .customLong("switch"), help: ArgumentHelp(
        "Control socket of the sluiced between the ports: tell latency without the times apart in which its poll loops lost their CPUs, too.", valueName: "socket"))
    var switchSocket: String?
    @Flag(inversion: .prefixedNo, help: "Have the report hold each flow's windows of time.") var bins = true
    @Flag(help: "Print counters as a line of JSON each interval.") var stream = false
    @Flag(help: "Take commands from standard input.") var control = false
    @Flag(inversion: .prefixedNo, help: "Print the table each interval (default: when standard output is a terminal).") var table: Bool?
    @Flag(help: "Let DPDK's own log through.") var verbose = false

    func run() throws {
        Signals.block()
        let plan: Scenario
        do {
            if control, scenario == "-" { throw ScenarioError("--control takes standard input, so the scenario cannot come from there") }
            var read = try Scenario(yaml: text(of: scenario))
            if let duration { try read.setDuration(duration) }
            if learn { read.learn = true }
            plan = read
        } catch { throw fail(error) }
        var options = RunOptions()
        options.cpu = cpu
        options.hugeDirectory = hugeDir
        options.verbose = verbose
        options.switchSocket = switchSocket
        var output = Session.Output()
        output.stream = stream
        output.control = control
        let terminal = isatty(STDOUT_FILENO) == 1
        if table ?? (terminal && !stream && json != "-") { output.table = terminal ? .redrawn : .plain }
        let report: Report
        do {
            let generator = try Generator(plan, options) { Signals.pending }
            defer { generator.close() }
            report = try Session(generator, output).run()
        } catch { throw fail(error) }
        try show(report, plan)
        if !report.passed { throw ExitCode(1) }
    }

    private func show(_ report: Report, _ plan: Scenario) throws {
        var lines = Table(plan).summary(report)
        lines += report.stalls.lines(report.latency)
        if !report.expectations.isEmpty { lines += [""] + report.expectations.map(\.text) }
        let people = stream || json == "-" ? FileHandle.standardError : FileHandle.standardOutput
        people.write(Data(("\n" + lines.joined(separator: "\n") + "\n").utf8))
        if let hgrm {
            let text = Histogram(counts: report.latencyCounts).percentileDistribution()
            do { try text.write(toFile: hgrm, atomically: true, encoding: .utf8) } catch { throw fail(error) }
        }
        guard let json else { return }
        let text = try report.json(bins: bins) + "\n"
        if json == "-" {
            FileHandle.standardOutput.write(Data(text.utf8))
        } else {
            do { try text.write(toFile: json, atomically: true, encoding: .utf8) } catch { throw fail(error) }
        }
    }
}
