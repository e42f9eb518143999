import Scheduler
import TestSupport
import Testing

/// Bursts for many leaves of simple guests. Most frames pass, on the leaf's own floor, on the guest's or on the root's, alternately. The tree and the oracle
/// must agree on every frame and every counter.
@Suite struct BypassBurstTests {
    @Test(arguments: 0..<8) func burstsForManyGuests(part: UInt64) {
        for seed in part * 1_000 ..< part * 1_000 + 150 {
            let known = Self.case(seed)
            guard let difference = Duel.difference(known) else { continue }
            Issue.record("seed \(seed): \(difference). In short:\n\(Duel.shortest(known))")
            return
        }
    }

    private static func `case`(_ seed: UInt64) -> Case {
        var dice = Seeded(seed)
        let isLimited = dice.chance(80)
        var known = Case(
            start: UInt64(dice.below(1_000_000_000)), frames: 1_000, overhead: dice.one(of: [0, 24]),
            root: isLimited ? .mbit(dice.one(of: [50, 200, 1_000]), ceil: 1_000) : ClassParameters())
        let guests = 2 + dice.below(4)
        var leaves: [ClassID] = []
        for guest in 0..<guests {
            let id = ClassID(2 + guest)
            known.steps.append(.add(id, under: 1, limits(&dice, floors: [10, 40, 100])))
            for _ in 0..<1 + dice.below(4) {
                let leaf = ClassID(2 + guests + leaves.count)
                known.steps.append(.add(leaf, under: id, limits(&dice, floors: [1, 8, 30])))
                leaves.append(leaf)
            }
        }
        for _ in 0..<200 {
            switch dice.below(20) {
            case 0: known.steps.append(.enqueue(300, to: dice.one(of: leaves), asBurst: true))
            case 1...2: known.steps.append(.dequeue(limit: 8))
            case 3: known.steps.append(.advance(by: UInt64(dice.below(100_000_000))))
            case 4...9: known.steps.append(.advance(by: UInt64(dice.below(300_000))))
            default:
                let runs = (0..<1 + dice.below(8)).map { _ in (leaf: dice.one(of: leaves), lengths: lengths(&dice)) }
                known.steps.append(.bypassBurst(first: 0, runs: runs))
            }
        }
        return known
    }

    /// Most classes have a floor and a ceiling; a few have only one of them, or none.
    private static func limits(_ dice: inout Seeded, floors: [UInt64]) -> ClassParameters {
        var p = ClassParameters.mbit(dice.chance(15) ? 0 : dice.one(of: floors), ceil: dice.chance(15) ? nil : dice.one(of: [60, 300]))
        p.burst = dice.one(of: [1_514, 3_000])
        p.ceilingBurst = dice.one(of: [3_000, 20_000])
        return p
    }

    private static func lengths(_ dice: inout Seeded) -> [Charge] {
        (0..<(dice.chance(80) ? 1 : 1 + dice.below(3))).map { _ in dice.one(of: [60, 300, 1_514]) }
    }
}
