import Scheduler
import TestSupport

/// A random tree whose floors are admitted: the floors of a class's children never exceed its own in sum.
struct AdmittedTree {
    struct Class {
        var parent: ClassID
        var floor: UInt64, ceiling: UInt64
        var quantum: UInt32
        var children: [ClassID] = []
    }

    /// Rates in Mbit/s.
    private(set) var classes: [ClassID: Class] = [:]
    /// What a class's floor exceeds the sum of its children's floors by.
    private(set) var unpromised: [ClassID: UInt64] = [:]
    let bench: Bench
    let link: UInt64
    static let rootBurst: UInt64 = 6_000, burst: UInt64 = 12_000

    /// One leaf may be given a floor that is higher by `extra` than the one chosen at random.
    init(dice: inout Seeded, raise: ClassID = 0, by extra: UInt64 = 0) {
        link = UInt64(100 + dice.below(400))
        bench = Bench(root: .mbit(link, ceil: link, burst: Self.rootBurst, ceilingBurst: Self.rootBurst))
        classes[1] = Class(parent: 0, floor: link, ceiling: link, quantum: 1_514)
        var next: ClassID = 2
        var open: [(id: ClassID, depth: Int)] = [(1, 0)]
        while let parent = open.popLast() {
            var left = classes[parent.id]!.floor
            for _ in 0..<(1 + dice.below(4)) {
                let id = next
                next += 1
                var floor = UInt64(dice.below(Int(left / 2 + 1)))
                left -= floor
                let isInner = parent.depth < 3 && floor > 8 && dice.chance(40)
                let ceiling = dice.chance(30) ? max(floor, 5) + UInt64(dice.below(100)) : link
                let quantum = UInt32(1_000 + dice.below(9_000))
                if id == raise { floor += extra }
                classes[id] = Class(parent: parent.id, floor: floor, ceiling: max(ceiling, floor), quantum: quantum)
                classes[parent.id]!.children.append(id)
                bench.add(id, under: parent.id, .mbit(
                    floor, ceil: max(ceiling, floor), quantum: quantum, burst: Self.burst, ceilingBurst: Self.burst))
                if isInner { open.append((id, parent.depth + 1)) }
            }
            unpromised[parent.id] = left
        }
    }

    var leaves: [ClassID] { classes.keys.filter { classes[$0]!.children.isEmpty }.sorted() }

    /// The class and all its ancestors, from the class upwards.
    func way(from id: ClassID) -> [ClassID] {
        var way = [id]
        while let parent = classes[way.last!]?.parent, parent != 0 { way.append(parent) }
        return way
    }

    /// How many bytes may leave a class above its ceiling in any window: its burst and one frame; and for each floor below it a burst and a frame, because
    /// floors are served whatever the ceilings above them say.
    func excess(_ id: ClassID, frame: UInt64) -> UInt64 {
        (id == 1 ? Self.rootBurst : Self.burst) + frame + excessOfFloors(below: id, frame: frame)
    }

    private func excessOfFloors(below id: ClassID, frame: UInt64) -> UInt64 {
        classes[id]!.children.reduce(0) { $0 + Self.burst + frame + excessOfFloors(below: $1, frame: frame) }
    }

    // MARK: Shares

    /// The rate in Mbit/s that the rules give each leaf of a set that always want more: first their floors; then each inner class, the lowest first, lends what
    /// its floor has left to those classes below it that are not at a ceiling, in proportion to their quanta.
    func shares(of greedy: Set<ClassID>) -> [ClassID: Double] {
        var given: [ClassID: Double] = [:]
        func give(_ leaf: ClassID, _ rate: Double) { for id in way(from: leaf) { given[id, default: 0] += rate } }
        func room(_ id: ClassID) -> Double {
            let c = classes[id]!
            let left = Double(c.ceiling) - given[id, default: 0]
            if c.children.isEmpty { return greedy.contains(id) ? left : 0 }
            return max(0, min(left, c.children.reduce(0) { $0 + room($1) }))
        }
        func lend(_ rate: Double, below id: ClassID) {
            if classes[id]!.children.isEmpty { return give(id, rate) }
            var rate = rate
            var takers = classes[id]!.children.map { (id: $0, room: room($0), weight: Double(classes[$0]!.quantum)) }.filter { $0.room > 0 }
            // Takers that reach their ceilings first get exactly what they have room for.
            takers.sort { $0.room / $0.weight < $1.room / $1.weight }
            var weight = takers.reduce(0) { $0 + $1.weight }
            for taker in takers {
                let share = min(taker.room, rate * taker.weight / weight)
                rate -= share
                weight -= taker.weight
                lend(share, below: taker.id)
            }
        }
        for leaf in greedy { give(leaf, Double(classes[leaf]!.floor)) }
        let inner = classes.keys.filter { !classes[$0]!.children.isEmpty }.sorted { way(from: $0).count > way(from: $1).count }
        for id in inner {
            let left = Double(classes[id]!.floor) - given[id, default: 0]
            if left > 0 { lend(min(left, room(id)), below: id) }
        }
        return given.filter { greedy.contains($0.key) }
    }
}
