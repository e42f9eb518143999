import SchedPeer
import Scheduler

/// `scheduler-benchmark [CLASSES]` compares Sluice's scheduler with librte_sched in ns per packet (enqueue and dequeue). The best of several alternating rounds
/// counts; there are 8, 1 000 and 65 535 classes, or the number given. `scheduler-benchmark count CLASSES LOAD PACKETS [STANDING [tail|codel|fq-codel [delays]]]`
/// runs only Sluice's side, on a virtual clock, for counting instructions. STANDING is the number of frames that always wait, 256 by default; with `delays` it is
/// counted how long they do.
@main struct Main {
    static func main() {
        let arguments = CommandLine.arguments
        if arguments.count >= 5, arguments[1] == "count", let classes = Int(arguments[2]), let load = Load(rawValue: arguments[3]),
            let packets = Int(arguments[4]), let standing = arguments.count == 5 ? 256 : Int(arguments[5]),
            let queue = arguments.count < 7 ? .tail : Discipline(rawValue: arguments[6]) {
            var own = OwnSide(classes: classes, rate: 100_000_000_000, length: 60, load: load, queue: queue, delays: arguments.count == 8)
            _ = own.run(randomPicks(own.leaves.count), packets: packets, standing: standing, clock: false)
            return
        }
        if arguments.count == 2, let classes = Int(arguments[1]), classes >= 3, classes <= 65_535 { return compare([classes]) }
        guard arguments.count == 1 else { return print("usage: scheduler-benchmark [CLASSES from 3 to 65535]") }
        compare([8, 1_000, 65_535])
    }

    /// Random numbers below `count`, in the same sequence on every machine.
    static func randomPicks(_ count: Int) -> [UInt32] {
        var state: UInt64 = 1
        return (0..<(1 << 16)).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt32((state >> 33) % UInt64(count))
        }
    }

    static func compare(_ sizes: [Int]) {
        print("classes  standing  librte_sched  sluice floors      sluice borrowing")
        var atEight = 0.0, atMost = 0.0
        for classes in sizes {
            guard let peer = sched_peer_create(UInt32(classes), 12_500_000_000, 60) else { return print("librte_sched refused \(classes) classes") }
            var own = Load.allCases.map { OwnSide(classes: classes, rate: 100_000_000_000, length: 60, load: $0) }
            for standing in [32, 2_048] where classes > 8 || standing == 32 {
                let picks = randomPicks(own[0].leaves.count)
                let peerPicks = randomPicks(classes)
                let packets = 2_000_000
                var best = [Double.infinity, .infinity, .infinity]
                for _ in 0..<5 {
                    best[0] = min(best[0], sched_peer_run(peer, peerPicks, UInt32(peerPicks.count - 1), UInt64(packets), UInt32(standing)))
                    for i in own.indices {
                        best[i + 1] = min(best[i + 1], own[i].run(picks, packets: packets, standing: standing, clock: true))
                    }
                }
                if classes == 8 { atEight = best[1] }
                if classes == 65_535, standing == 32 { atMost = best[1] }
                let row = [pad("\(classes)", 7), pad("\(standing)", 9), pad(fixed(best[0]), 10) + " ns"]
                    + best.dropFirst().map { pad(fixed($0), 8) + " ns (\(fixed($0 / best[0])))" }
                print(row.joined(separator: " "))
            }
        }
        if atEight != 0, atMost != 0 { print("65 535 classes take \(fixed(atMost / atEight)) times as long as 8") }
        print("\(ClassTree.bytesPerClass) bytes a class")
    }

    static func fixed(_ value: Double) -> String {
        let hundredths = Int(value * 100 + 0.5)
        return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
    }

    static func pad(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
}
