import Foundation
import Measuring

/// What all benchmarks of a run share.
final class Bench {
    /// Where sluiced, sluice and sluice-gen are.
    let programs: String
    /// Where an earlier commit's are, which is measured beside; nil: nowhere.
    let before: String?
    /// For sockets, logs and configurations of this run.
    let folder: String
    /// Where results go.
    let output: String
    /// Begins the name of everything this run makes outside its folder.
    let tag: String
    let rounds: Int
    let seconds: Double
    let quick: Bool
    /// Only these peers; empty: all.
    let chosenPeers: [String]
    /// A hugetlbfs mount that the generator takes its memory from; nil: ordinary memory, which is slower.
    let hugeDirectory: String?
    /// One poller owns the first CPU, the others are switches': two pollers on one CPU would measure the kernel's time slices.
    let generatorCPU: Int
    let allowedCPUs: [Int]
    var results = Results()
    private var count = 0

    init(
        programs: String, before: String?, folder: String, output: String, tag: String, rounds: Int, seconds: Double, quick: Bool, peers: [String], hugeDirectory: String?
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
        allowedCPUs = Machine.allowedCPUs
        guard allowedCPUs.count >= 2 else {
            throw Fault("this process may run on one CPU only (\(allowedCPUs)); generator and switch need one each: allow two, as with taskset -c 0,1")
        }
        generatorCPU = allowedCPUs[0]
        results.rounds = rounds
        results.seconds = seconds
        results.machine = Machine.facts(generator: generatorCPU, switches: switchCPUs(1))
    }

    /// The last CPUs allowed.
    func switchCPUs(_ count: Int) -> [Int] { Array(allowedCPUs.dropFirst().suffix(count)) }

    /// What `sluice-gen run` is started with in every benchmark.
    var generatorOptions: [String] { ["--no-table", "--cpu", String(generatorCPU)] + (hugeDirectory.map { ["--huge-dir", $0] } ?? []) }

    /// A path in the run's folder that is new; short, as a socket's must be.
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

    /// Peers in turn, round after round. One that fails is named with its log and left out of the benchmark's other rounds.
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

    /// Tells a result when it is there.
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
