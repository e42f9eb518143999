import Foundation
import Measuring

/// What all benchmarks of a run share.
final class Bench {
    /// The folder that contains sluiced, sluice and sluice-gen.
    let programs: String
    /// The folder with the programs of an earlier commit, which are measured as well; nil: none are.
    let before: String?
    /// The folder for sockets, logs and configurations of this run.
    let folder: String
    /// The folder for results.
    let output: String
    /// The prefix of the names of everything that this run creates outside its folder.
    let tag: String
    let rounds: Int
    let seconds: Double
    let quick: Bool
    /// If not empty, only these peers are measured.
    let chosenPeers: [String]
    /// A hugetlbfs mount from which the generator takes its memory; nil: it uses ordinary memory, which is slower.
    let hugeDirectory: String?
    /// Who fills and drains guests' rings where frames circulate: the words of `sluice-gen circulate --rings`.
    let rings: String
    /// The first CPU belongs to the generator, the others to switches: if two pollers shared a CPU, the kernel's time slices would be measured.
    let generatorCPU: Int
    let allowedCPUs: [Int]
    var results = Results()
    private var count = 0

    init(
        programs: String, before: String?, folder: String, output: String, tag: String, rounds: Int, seconds: Double, quick: Bool, peers: [String], hugeDirectory: String?,
        rings: String
    ) throws {
        self.programs = programs
        self.before = before
        self.folder = folder
        self.output = output
        self.tag = tag
        self.rounds = rounds
        self.seconds = seconds
        self.quick = quick
        chosenPeers = peers
        self.hugeDirectory = hugeDirectory
        self.rings = rings
        allowedCPUs = Machine.allowedCPUs
        guard allowedCPUs.count >= 2 else {
            throw Fault("this process may run on one CPU only (\(allowedCPUs)); generator and switch need one each: allow two, as with taskset -c 0,1")
        }
        generatorCPU = allowedCPUs[0]
        results.rounds = rounds
        results.seconds = seconds
        results.machine = Machine.facts(generator: generatorCPU, switches: switchCPUs(1))
    }

    /// The last of the allowed CPUs.
    func switchCPUs(_ count: Int) -> [Int] { Array(allowedCPUs.dropFirst().suffix(count)) }

    /// The options that every benchmark starts `sluice-gen run` with.
    var generatorOptions: [String] { ["--no-table", "--cpu", String(generatorCPU)] + (hugeDirectory.map { ["--huge-dir", $0] } ?? []) }

    /// A new path in the run's folder. It is short, because the paths of sockets have to be.
    func path(_ name: String) -> String {
        count += 1
        return "\(folder)/\(count)\(name)"
    }

    func file(_ name: String, _ text: String) throws -> String {
        let path = path(name)
        do { try text.write(toFile: path, atomically: true, encoding: .utf8) } catch { throw Fault("cannot write \(path): \(error)") }
        return path
    }

    func say(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

    func chosen(_ peers: [any Peer]) -> [any Peer] { peers.filter { chosenPeers.isEmpty || chosenPeers.contains($0.name) } }

    /// Gives the peers their turns, round after round. If a peer fails, its log is shown, and it is left out of the remaining rounds of the benchmark.
    func turns(_ benchmark: String, _ peers: [any Peer], rounds: Int? = nil, _ turn: (any Peer, Int) throws -> Void, failed: (any Peer) -> Void = { _ in }) {
        var broken: Set<String> = []
        let all = chosen(peers)
        for round in 0..<(rounds ?? self.rounds) {
            for peer in all {
                if broken.contains(peer.name) {
                    failed(peer)
                    continue
                }
                do { try turn(peer, round) } catch {
                    broken.insert(peer.name)
                    failed(peer)
                    fail(benchmark, peer.name, error)
                }
            }
        }
    }

    func fail(_ benchmark: String, _ peer: String?, _ error: any Error) {
        results.failures.append(.init(benchmark, peer, "\(error)"))
        say("FAILED: \(benchmark)\(peer.map { ", \($0)" } ?? ""): \(error)")
    }

    func skip(_ benchmark: String, _ reason: String) {
        results.skipped.append(.init(benchmark, nil, reason))
        say("skipped: \(benchmark): \(reason)")
    }

    /// Adds results and prints them at once.
    func add(_ figures: Figure...) {
        for figure in figures where !figure.peers.isEmpty {
            results.figures.append(figure)
            let peers = figure.peers.map { peer in
                let ratio = figure.ratio(to: peer.peer).map { " (ratio \(Table.fixed($0.median, 3)))" } ?? ""
                return peer.peer + " " + (figure.spread(peer.peer).map { Table.amount($0.median, figure.unit) } ?? "not measured") + ratio
            }
            say("  \(figure.quantity): " + peers.joined(separator: ", "))
        }
    }
}
