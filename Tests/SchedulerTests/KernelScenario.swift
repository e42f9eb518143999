import Foundation
import Scheduler

/// One tree and one load, for the kernel's HTB and for `ClassTree`. Rates in Mbit/s.
struct KernelScenario: Sendable, CustomStringConvertible {
    struct Class: Sendable {
        var id: UInt16, parent: UInt16, floor: Double, ceiling: Double
        var priority: UInt8 = 0
        var quantum: UInt32 = 1_500
        var burst: UInt64 = 15_000
    }

    struct Flow: Sendable {
        var leaf: UInt16
        /// The lengths of its frames, in turn.
        var sizes: [UInt32]

        init(leaf: UInt16, size: UInt32) { self.init(leaf: leaf, sizes: [size]) }
        init(leaf: UInt16, sizes: [UInt32]) {
            self.leaf = leaf
            self.sizes = sizes
        }
    }

    var description: String
    var classes: [Class]
    var flows: [Flow]
    /// What the rules give each leaf, in Mbit/s.
    var expected: [UInt16: Double]
    /// New parameters of classes, which are set once the load runs.
    var changes: [Class] = []
    /// Whether the first instants, in which classes use what they saved while idle, count too.
    var fromIdle = false
    /// If the kernel gives something else: why, and what it gives each leaf in Mbit/s.
    var kernelFault: (why: String, shares: [UInt16: Double])?

    /// How long to run: the time for 200 frames and 100 turns of the flow that has the fewest, so that 2 % are a few of them.
    var seconds: Double {
        if fromIdle { return 1 }
        let times = flows.map { flow in
            let turn = Double(classes.first { $0.id == flow.leaf }!.quantum), frame = Double(flow.sizes.max()!)
            return max(turn * 100, frame * 200) * 8e-6 / (kernelFault?.shares ?? expected)[flow.leaf]!
        }
        return max(1, times.max()!)
    }

    static func parameters(_ c: Class) -> ClassParameters {
        ClassParameters(
            floor: UInt64(c.floor * 1e6), ceiling: UInt64(c.ceiling * 1e6), burst: c.burst, ceilingBurst: c.burst, priority: c.priority,
            quantum: c.quantum)
    }

    /// The bytes that each leaf sends in `time` of virtual time.
    func sluice(for time: Nanoseconds) -> [UInt16: UInt64] {
        let bench = Bench(root: Self.parameters(classes[0]))
        for c in classes.dropFirst() { bench.add(c.id, under: c.parent, Self.parameters(c)) }
        for flow in flows { bench.greedyOfMixed[flow.leaf] = flow.sizes }
        if !fromIdle {
            bench.run(until: second / 2)
            for c in changes { _ = bench.tree.pointee.change(c.id, Self.parameters(c), at: bench.now) }
            bench.run(until: second)
            bench.forget()
        }
        bench.run(until: bench.now + time)
        return Dictionary(uniqueKeysWithValues: flows.map { ($0.leaf, bench.sentBytes[$0.leaf, default: 0]) })
    }

    /// The bytes that each leaf sends through the kernel, and the number of seconds that this took.
    func kernel(seconds: Double) throws -> (elapsed: Double, bytes: [UInt16: UInt64]) {
        func object(_ c: Class) -> [String: Any] {
            ["id": Int(c.id), "parent": Int(c.parent), "rate": max(8_000, Int(c.floor * 1e6)), "ceil": Int(c.ceiling * 1e6), "prio": Int(c.priority),
             "quantum": Int(c.quantum), "burst": Int(c.burst), "cburst": Int(c.burst)]
        }
        let scenario: [String: Any] = [
            "classes": classes.map(object), "flows": flows.map { ["class": Int($0.leaf), "sizes": $0.sizes.map { Int($0) }] },
            "warm": fromIdle ? 0 : 0.4, "seconds": seconds, "changes": changes.map(object),
        ]
        let process = Process(), input = Pipe(), output = Pipe()
        process.executableURL = Self.script
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        input.fileHandleForWriting.write(try JSONSerialization.data(withJSONObject: scenario))
        try input.fileHandleForWriting.close()
        let answer = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0, let found = try JSONSerialization.jsonObject(with: answer) as? [String: Any],
            let elapsed = found["elapsed"] as? Double, let bytes = found["bytes"] as? [String: Int]
        else { throw CocoaError(.fileReadCorruptFile) }
        return (elapsed, Dictionary(uniqueKeysWithValues: bytes.map { (UInt16($0)!, UInt64($1)) }))
    }

    static let script = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "scripts/lab/kernel-htb")

    /// Whether this machine has what the comparison needs: root, tc, python3, and a kernel with HTB.
    static let available: Bool = geteuid() == 0 && (try? all[5].kernel(seconds: 0.01)) != nil
}
