import ArgumentParser
import Foundation
import TrafficGenerator

struct Circulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure what switches pass: frames go round, and several switches take turns.",
        discussion: """
            Of the scenario, the ports and what flows there are count: what comes out of one port is sent again by the other, as the next flow's \
            frame, and nothing is built or judged, so that the switch is the slower side. The first switch's rate over another's is taken \
            slice by slice; while one has its turn, the others' processes are stopped, which share its CPUs. Each is continued when this ends, \
            in whatever way. A slice in which others had the CPUs is measured again, up to twice.

            The exit status is 0 when all was measured, 1 when a signal ended it before, 2 when the scenario or the machine refuses.
            """)

    @Argument(help: "The scenario's file; - is standard input.") var scenario: String
    @Option(
        name: .customLong("switch"),
        help: ArgumentHelp(
            "A switch: its processes, and its vhost-user sockets in the order of the scenario's ports (default: the ports' own devices).",
            valueName: "name=pid[+pid]:socket,socket"))
    var switches: [String] = []
    @Option(help: "Slices of each switch.") var slices = 60
    @Option(help: "What is counted of each.") var slice = "150ms"
    @Option(help: "What passes before.") var warmUp = "20ms"
    @Option(help: "Slices of each switch ahead of these, not counted.") var settle = 3
    @Option(help: ArgumentHelp(
        "Frames on their way in each direction (default: 256); once more for a switch that holds frames back: sluice=2048.", valueName: "[name=]frames"))
    var window: [String] = []
    @Option(help: ArgumentHelp(
        "A command ahead of each of a switch's slices, while it runs; RATE is the frames per second of the slice before.", valueName: "name=command"))
    var before: [String] = []
    @Option(help: "The CPU that sends and receives (default: the last one allowed).") var cpu: Int?
    @Option(help: "Take memory from this hugetlbfs mount instead of ordinary memory.") var hugeDir: String?
    @Option(help: "Who fills and drains the rings of vhost-user ports: own, this program, or virtio-user, DPDK's driver, which may be slower than a switch.")
    var rings = RingKind.virtioUser
    @Option(help: ArgumentHelp("Write every slice as JSON; - is standard output.", valueName: "file")) var json: String?
    @Flag(help: "Let DPDK's own log through.") var verbose = false

    func run() throws {
        Signals.block()
        var options = RunOptions()
        options.cpu = cpu
        options.hugeDirectory = hugeDir
        options.verbose = verbose
        let report: CirculationReport
        do {
            var plan = CirculationPlan()
            plan.slice = try time(slice, "--slice")
            plan.warmUp = try time(warmUp, "--warm-up")
            (plan.sets, plan.settle, plan.rings) = (slices, settle, rings)
            for text in window { try plan.setWindow(text) }
            for text in before { try plan.setCommand(text) }
            let scenario = try Scenario(yaml: text(of: scenario))
            let circulator = try Circulator(scenario, plan, switches.map { try CirculatedSwitch($0) }, options) { Signals.pending }
            defer { circulator.close() }
            report = try circulator.run()
        } catch { throw fail(error) }
        let people = json == "-" ? FileHandle.standardError : FileHandle.standardOutput
        people.write(Data((report.lines.joined(separator: "\n") + "\n").utf8))
        if let json {
            let text = try report.json() + "\n"
            if json == "-" {
                FileHandle.standardOutput.write(Data(text.utf8))
            } else {
                do { try text.write(toFile: json, atomically: true, encoding: .utf8) } catch { throw fail(error) }
            }
        }
        if report.astray > 0 { throw fail(ScenarioError("\(report.astray) frames came out altered, or at a port they were not meant for")) }
        if !report.complete { throw ExitCode(1) }
    }

    private func time(_ text: String, _ option: String) throws(ScenarioError) -> UInt64 {
        guard let value = CirculationPlan.nanoseconds(text) else { throw ScenarioError("\(option) is `\(text)`; write a time with its unit (150ms, 1s)") }
        return value
    }
}

extension RingKind: ExpressibleByArgument {}
