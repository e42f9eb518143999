import ArgumentParser
import Foundation

/// The suite is started by `scripts/bench`, which installs and builds what it needs.
@main
struct Suite: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Sluice beside its peers: in turn, in one run, on the same CPUs, with the same generator.",
        discussion: """
            Writes a table, JSON and pictures. Other load on the machine moves all sides: believe ratios of the same round, not rates. The exit \
            status is 1 when something failed that should have been measured; the rest has been measured then, too.
            """)

    static let knownPeers = ["sluice", "testpmd-io", "ovs-dpdk", "kernel-htb", "sluice-before", "sluice-plain", "sluice-adaptive", "sluice-adaptive-0us", "sluice-polling"]

    @Argument(help: "Benchmarks to run, as --list names them; * stands for anything (default: all).") var names: [String] = []
    @Flag(help: "Name the benchmarks and end.") var list = false
    @Flag(help: "The most telling ones with 2 rounds of 1 s, in under five minutes.") var quick = false
    @Option(help: "Rounds, in each of which all peers are measured once (default: 5); where frames circulate, rounds x seconds are cut into slices.") var rounds: Int?
    @Option(help: "Seconds of each figure (default: 2).") var seconds: Double?
    @Option(help: "Only these peers, with commas between: \(knownPeers.joined(separator: ", ")).") var peers = ""
    @Option(help: "The .build/release of an earlier commit, whose sluiced is measured beside this one's where frames circulate.", completion: .directory) var before: String?
    @Option(help: "Who fills and drains guests' rings where frames circulate: own (the generator itself), or virtio-user (DPDK's driver, the slower one).")
    var rings = "own"
    @Option(help: "Where results go.") var output = ".build-bench"
    @Option(help: .hidden) var programs = ".build/release"
    @Option(help: .hidden) var work: String?
    @Option(help: .hidden) var tag: String?
    @Option(help: .hidden) var hugeDir: String?

    func validate() throws {
        if let before, !FileManager.default.isExecutableFile(atPath: "\(before)/sluiced") {
            throw ValidationError("--before: \(before) has no program sluiced; name the .build/release of a checkout that was built with `swift build -c release`")
        }
        guard rings == "own" || rings == "virtio-user" else { throw ValidationError("--rings takes own or virtio-user, not \(rings)") }
        if let rounds, rounds < 1 { throw ValidationError("--rounds must be at least 1") }
        for peer in peers.split(separator: ",") where !Self.knownPeers.contains(String(peer)) {
            throw ValidationError("no peer is called \(peer); there are \(Self.knownPeers.joined(separator: ", "))")
        }
        if let seconds, !(0.2...60).contains(seconds) { throw ValidationError("--seconds must be from 0.2 to 60") }
    }

    func run() throws {
        if list {
            let width = Catalogue.all.map(\.name.count).max() ?? 0
            for benchmark in Catalogue.all {
                let pad = String(repeating: " ", count: width - benchmark.name.count)
                print("\(benchmark.name)\(pad)  \(benchmark.quick ? "quick" : "     ")  \(benchmark.title)")
            }
            return
        }
        do { try measure() } catch let fault as Fault {
            FileHandle.standardError.write(Data("bench: \(fault)\n".utf8))
            throw ExitCode(2)
        }
    }

    private func measure() throws {
        let chosen = try Catalogue.select(names, quick: quick)
        guard geteuid() == 0 else { throw Fault("run it as root: hugepages, taps and vhost sockets need it") }
        Interruption.watch()
        let folder = work ?? "/tmp/sluice-bench-\(getpid())"
        for path in [folder, output] {
            do { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) } catch { throw Fault("cannot make \(path): \(error)") }
        }
        defer { if work == nil { try? FileManager.default.removeItem(atPath: folder) } }
        let bench = try Bench(
            programs: programs, before: before, folder: folder, output: output, tag: tag ?? "slb\(getpid())", rounds: rounds ?? (quick ? 2 : 5),
            seconds: seconds ?? (quick ? 1 : 2), quick: quick, peers: peers.split(separator: ",").map(String.init), hugeDirectory: hugeDir, rings: rings)
        bench.results.command = (["scripts/bench"] + CommandLine.arguments.dropFirst().filter { !$0.hasPrefix("/") }).joined(separator: " ")
        bench.results.date = Date().formatted(.iso8601)
        for benchmark in chosen {
            bench.say("\(benchmark.name): \(benchmark.title)")
            guard bench.allowedCPUs.count >= benchmark.cpus else {
                bench.skip(benchmark.name, "it needs \(benchmark.cpus) CPUs, and this process may run on \(bench.allowedCPUs.count)")
                continue
            }
            let start = ContinuousClock.now, before = bench.results.outcomes
            do { try benchmark.run(bench, benchmark.name) } catch { bench.fail(benchmark.name, nil, error) }
            let took = (ContinuousClock.now - start) / .seconds(1)
            bench.results.took[benchmark.name] = took
            bench.say("  took \(Int(took.rounded())) s")
            if bench.results.outcomes == before {
                bench.skip(benchmark.name, "none of its members is among the peers \(peers): leave --peers out")
            }
            // If a run is ended early, what it has measured is still written.
            try Output.write(bench)
        }
        Output.tell(bench)
        if !bench.results.failures.isEmpty { throw ExitCode(1) }
    }
}
