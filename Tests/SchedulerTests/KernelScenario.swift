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

    struct Flow: Sendable { var leaf: UInt16, size: UInt32 }

    var description: String
    var classes: [Class]
    var flows: [Flow]
    /// What the rules give each leaf, Mbit/s.
    var expected: [UInt16: Double]
    /// New parameters, once the load runs.
    var changes: [Class] = []
    /// The first instants count too.
    var fromIdle = false
    /// Why the kernel gives something else.
    var kernelFault: String?

    static func parameters(_ c: Class) -> ClassParameters {
        ClassParameters(
            floor: UInt64(c.floor * 1e6), ceiling: UInt64(c.ceiling * 1e6), burst: c.burst, ceilingBurst: c.burst, priority: c.priority,
            quantum: c.quantum)
    }

    /// Bytes each leaf sends in `time` of virtual time.
    func sluice(for time: Nanoseconds) -> [UInt16: UInt64] {
        let bench = Bench(root: Self.parameters(classes[0]))
        for c in classes.dropFirst() { bench.add(c.id, under: c.parent, Self.parameters(c)) }
        for flow in flows { bench.greedy[flow.leaf] = flow.size }
        if !fromIdle {
            bench.run(until: second / 2)
            for c in changes { bench.tree.pointee.change(c.id, Self.parameters(c), at: bench.now) }
            bench.run(until: second)
            bench.forget()
        }
        bench.run(until: bench.now + time)
        return Dictionary(uniqueKeysWithValues: flows.map { ($0.leaf, bench.sentBytes[$0.leaf, default: 0]) })
    }

    /// Bytes each leaf sends through the kernel, and in how many seconds; nil if this machine lets nobody try.
    func kernel(seconds: Double) throws -> (elapsed: Double, bytes: [UInt16: UInt64]) {
        func object(_ c: Class) -> [String: Any] {
            ["id": Int(c.id), "parent": Int(c.parent), "rate": max(8_000, Int(c.floor * 1e6)), "ceil": Int(c.ceiling * 1e6), "prio": Int(c.priority),
             "quantum": Int(c.quantum), "burst": Int(c.burst), "cburst": Int(c.burst)]
        }
        let scenario: [String: Any] = [
            "classes": classes.map(object), "flows": flows.map { ["class": Int($0.leaf), "size": Int($0.size)] },
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

    /// Whether this machine has a kernel to compare with: root, tc, python3, HTB.
    static let available: Bool = {
        guard geteuid() == 0, FileManager.default.isExecutableFile(atPath: script.path) else { return false }
        return (try? KernelScenario.all[5].kernel(seconds: 0.01)) != nil
    }()
}

extension KernelScenario {
    static let all: [KernelScenario] = [
        KernelScenario(
            description: "equal borrowers",
            classes: [.init(id: 1, parent: 0, floor: 40, ceiling: 40), .init(id: 2, parent: 1, floor: 5, ceiling: 40), .init(id: 3, parent: 1, floor: 5, ceiling: 40)],
            flows: [.init(leaf: 2, size: 1_250), .init(leaf: 3, size: 1_250)], expected: [2: 20, 3: 20]),
        KernelScenario(
            description: "unequal quanta",
            classes: [
                .init(id: 1, parent: 0, floor: 40, ceiling: 40), .init(id: 2, parent: 1, floor: 2, ceiling: 40, quantum: 3_000),
                .init(id: 3, parent: 1, floor: 2, ceiling: 40, quantum: 9_000),
            ],
            flows: [.init(leaf: 2, size: 1_250), .init(leaf: 3, size: 1_250)], expected: [2: 11, 3: 29]),
        KernelScenario(
            description: "priorities",
            classes: [
                .init(id: 1, parent: 0, floor: 40, ceiling: 40), .init(id: 2, parent: 1, floor: 5, ceiling: 40, priority: 0),
                .init(id: 3, parent: 1, floor: 5, ceiling: 40, priority: 1),
            ],
            flows: [.init(leaf: 2, size: 1_250), .init(leaf: 3, size: 1_250)], expected: [2: 35, 3: 5]),
        KernelScenario(
            description: "nested floors",
            classes: [
                .init(id: 1, parent: 0, floor: 40, ceiling: 40), .init(id: 2, parent: 1, floor: 24, ceiling: 40),
                .init(id: 3, parent: 1, floor: 16, ceiling: 40), .init(id: 20, parent: 2, floor: 16, ceiling: 40),
                .init(id: 21, parent: 2, floor: 8, ceiling: 40), .init(id: 30, parent: 3, floor: 4, ceiling: 40),
                .init(id: 31, parent: 3, floor: 12, ceiling: 40),
            ],
            flows: [20, 21, 30, 31].map { .init(leaf: $0, size: 1_250) }, expected: [20: 16, 21: 8, 30: 4, 31: 12]),
        KernelScenario(
            description: "bound by a ceiling",
            classes: [.init(id: 1, parent: 0, floor: 40, ceiling: 40), .init(id: 2, parent: 1, floor: 5, ceiling: 10), .init(id: 3, parent: 1, floor: 5, ceiling: 40)],
            flows: [.init(leaf: 2, size: 1_250), .init(leaf: 3, size: 1_250)], expected: [2: 10, 3: 30]),
        KernelScenario(
            description: "floors only",
            classes: [.init(id: 1, parent: 0, floor: 40, ceiling: 40), .init(id: 2, parent: 1, floor: 10, ceiling: 10), .init(id: 3, parent: 1, floor: 20, ceiling: 20)],
            flows: [.init(leaf: 2, size: 1_250), .init(leaf: 3, size: 1_250)], expected: [2: 10, 3: 20]),
        KernelScenario(
            description: "a burst after idling",
            classes: [.init(id: 1, parent: 0, floor: 100, ceiling: 100, burst: 400_000), .init(id: 2, parent: 1, floor: 8, ceiling: 8, burst: 300_000)],
            flows: [.init(leaf: 2, size: 1_250)], expected: [2: 10.4], fromIdle: true),
        KernelScenario(
            description: "changed while running",
            classes: [.init(id: 1, parent: 0, floor: 40, ceiling: 40), .init(id: 2, parent: 1, floor: 30, ceiling: 40), .init(id: 3, parent: 1, floor: 10, ceiling: 40)],
            flows: [.init(leaf: 2, size: 1_250), .init(leaf: 3, size: 1_250)], expected: [2: 10, 3: 30],
            changes: [.init(id: 2, parent: 1, floor: 10, ceiling: 40), .init(id: 3, parent: 1, floor: 30, ceiling: 40)]),
        KernelScenario(
            description: "a deep tree",
            classes: [
                .init(id: 1, parent: 0, floor: 40, ceiling: 40), .init(id: 2, parent: 1, floor: 30, ceiling: 40), .init(id: 3, parent: 2, floor: 20, ceiling: 35),
                .init(id: 4, parent: 3, floor: 15, ceiling: 30), .init(id: 5, parent: 4, floor: 10, ceiling: 25), .init(id: 50, parent: 5, floor: 6, ceiling: 25),
                .init(id: 51, parent: 5, floor: 2, ceiling: 25), .init(id: 60, parent: 1, floor: 10, ceiling: 15),
            ],
            flows: [50, 51, 60].map { .init(leaf: $0, size: 1_250) }, expected: [50: 14.5, 51: 10.5, 60: 15]),
        KernelScenario(
            description: "many classes",
            classes: [.init(id: 1, parent: 0, floor: 40, ceiling: 40)] + (2..<26).map { .init(id: $0, parent: 1, floor: $0 < 14 ? 1 : 0.5, ceiling: 40) },
            flows: (2..<26).map { .init(leaf: $0, size: 1_250) },
            expected: Dictionary(uniqueKeysWithValues: (UInt16(2)..<26).map { ($0, ($0 < 14 ? 1 : 0.5) + 22.0 / 24) })),
        KernelScenario(
            description: "small packets beside large ones",
            classes: [.init(id: 1, parent: 0, floor: 10, ceiling: 10), .init(id: 2, parent: 1, floor: 2, ceiling: 10), .init(id: 3, parent: 1, floor: 4, ceiling: 10)],
            flows: [.init(leaf: 2, size: 125), .init(leaf: 3, size: 1_250)], expected: [2: 4, 3: 6]),
        KernelScenario(
            description: "mixed sizes, unequal quanta",
            classes: [
                .init(id: 1, parent: 0, floor: 40, ceiling: 40), .init(id: 2, parent: 1, floor: 4, ceiling: 40, quantum: 4_000),
                .init(id: 3, parent: 1, floor: 4, ceiling: 40, quantum: 8_000), .init(id: 4, parent: 1, floor: 4, ceiling: 40, quantum: 2_000),
            ],
            flows: [.init(leaf: 2, size: 700), .init(leaf: 3, size: 1_400), .init(leaf: 4, size: 300)], expected: [2: 12, 3: 20, 4: 8]),
        KernelScenario(
            description: "priorities within tenants",
            classes: [
                .init(id: 1, parent: 0, floor: 40, ceiling: 40), .init(id: 2, parent: 1, floor: 20, ceiling: 20), .init(id: 3, parent: 1, floor: 20, ceiling: 40),
                .init(id: 20, parent: 2, floor: 2, ceiling: 20, priority: 0), .init(id: 21, parent: 2, floor: 2, ceiling: 20, priority: 2),
                .init(id: 30, parent: 3, floor: 5, ceiling: 40, priority: 1),
            ],
            flows: [20, 21, 30].map { .init(leaf: $0, size: 1_250) }, expected: [20: 18, 21: 2, 30: 20]),
        KernelScenario(
            description: "a tenant of one beside a tenant of four",
            classes: [
                .init(id: 1, parent: 0, floor: 40, ceiling: 40), .init(id: 2, parent: 1, floor: 0.1, ceiling: 40), .init(id: 3, parent: 1, floor: 0.1, ceiling: 40),
                .init(id: 20, parent: 2, floor: 0.1, ceiling: 40),
            ] + (30..<34).map { .init(id: $0, parent: 3, floor: 0.1, ceiling: 40) },
            flows: [20, 30, 31, 32, 33].map { .init(leaf: $0, size: 1_250) }, expected: [20: 20, 30: 5, 31: 5, 32: 5, 33: 5],
            kernelFault: "the kernel lets every leaf of a tenant take its turn before the next tenant's, so tenants share by their number of leaves"),
        KernelScenario(
            description: "a quantum below the frame",
            classes: [
                .init(id: 1, parent: 0, floor: 40, ceiling: 40), .init(id: 2, parent: 1, floor: 0.1, ceiling: 40, quantum: 1_000),
                .init(id: 3, parent: 1, floor: 0.1, ceiling: 40, quantum: 3_000),
            ],
            flows: [.init(leaf: 2, size: 1_400), .init(leaf: 3, size: 300)], expected: [2: 10, 3: 30],
            kernelFault: "the kernel sends one frame a visit even when the turn is still owed, so a quantum below the frame counts as the frame"),
    ]
}
