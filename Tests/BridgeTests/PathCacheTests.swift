import Bridge
import TestSupport
import Testing

@Suite("Path cache")
struct PathCacheTests {
    private func find(_ cache: PathCache, _ pair: SIMD2<UInt64>, _ stamp: UInt64) -> UInt64? {
        PathCache.find(cache.line(pair[0], pair[1]), pair, stamp)
    }

    private func remember(_ cache: PathCache, _ pair: SIMD2<UInt64>, _ stamp: UInt64, _ answer: UInt64, turn: UInt64 = 0) {
        PathCache.remember(cache.line(pair[0], pair[1]), pair, stamp, answer, turn: turn)
    }

    @Test("A path is found under its stamp alone, and between its own addresses in their order")
    func found() {
        let cache = PathCache.create(lines: 1)
        defer { cache.destroy() }
        let pair = SIMD2<UInt64>(0x5254_0000_0001, 0x5254_0000_0002)
        let stamp = PathCache.stamp(port: 1, seconds: 7, changes: 3, configuration: 5)
        #expect(find(cache, pair, stamp) == nil)
        remember(cache, pair, stamp, 99)
        #expect(find(cache, pair, stamp) == 99)
        #expect(find(cache, SIMD2(pair[1], pair[0]), stamp) == nil)
        #expect(find(cache, SIMD2(pair[0], 0), stamp) == nil)
        for other in [
            PathCache.stamp(port: 2, seconds: 7, changes: 3, configuration: 5), PathCache.stamp(port: 1, seconds: 8, changes: 3, configuration: 5),
            PathCache.stamp(port: 1, seconds: 7, changes: 4, configuration: 5), PathCache.stamp(port: 1, seconds: 7, changes: 3, configuration: 6),
        ] {
            #expect(find(cache, pair, other) == nil)
        }
        remember(cache, pair, stamp, 100)
        #expect(find(cache, pair, stamp) == 100)
    }

    @Test("What was never written is no path, whatever the stamp")
    func empty() {
        let cache = PathCache.create(lines: 1)
        defer { cache.destroy() }
        #expect(find(cache, .zero, PathCache.stamp(port: 0, seconds: 0, changes: 0, configuration: 0)) == nil)
    }

    @Test("Two pairs of one line are both remembered; a third takes the second's place in one of 16 cases, or once that is outdated")
    func full() {
        let cache = PathCache.create(lines: 1)
        defer { cache.destroy() }
        let pairs = (1...3).map { SIMD2(UInt64($0), UInt64($0 + 10)) }
        let stamp = PathCache.stamp(port: 1, seconds: 7, changes: 0, configuration: 0)
        // This entry belongs to another port, but is just as current.
        let other = PathCache.stamp(port: 2, seconds: 7, changes: 0, configuration: 0)
        remember(cache, pairs[0], stamp, 1)
        remember(cache, pairs[1], other, 2)
        for turn in 1...15 { remember(cache, pairs[2], stamp, 3, turn: UInt64(turn)) }
        #expect(find(cache, pairs[0], stamp) == 1 && find(cache, pairs[1], other) == 2 && find(cache, pairs[2], stamp) == nil)
        remember(cache, pairs[2], stamp, 3, turn: 16)
        #expect(find(cache, pairs[0], stamp) == 1 && find(cache, pairs[1], other) == nil && find(cache, pairs[2], stamp) == 3)
        // A second later all entries are out of date, so any pair may take their places; but no pair may ever have two entries.
        let later = PathCache.stamp(port: 1, seconds: 8, changes: 0, configuration: 0)
        remember(cache, pairs[2], later, 4, turn: 1)
        remember(cache, pairs[1], later, 5, turn: 1)
        #expect(find(cache, pairs[1], later) == 5 && find(cache, pairs[2], later) == 4 && find(cache, pairs[0], stamp) == nil)
    }

    @Test("Of twice as many paths in turn as there is room for, a good part is found", arguments: [1, 2, 3] as [UInt64])
    func thrashed(seed: UInt64) {
        var random = Seeded(seed)
        let cache = PathCache.create(lines: 64, multiplier: random.next())
        defer { cache.destroy() }
        let stamp = PathCache.stamp(port: 1, seconds: 7, changes: 0, configuration: 0)
        var hits = 0, turn: UInt64 = 0
        for _ in 0..<20 {
            for number in 0..<256 as Range<UInt64> {
                let pair = SIMD2(0x5254_0100_0000 + number, 0x5254_0200_0000 + number)
                if let answer = find(cache, pair, stamp) {
                    #expect(answer == number)
                    hits += 1
                } else {
                    turn += 1
                    remember(cache, pair, stamp, number, turn: turn)
                }
            }
        }
        #expect(hits > 20 * 256 / 4)
    }

    @Test("Half as many evenly spaced pairs as there is room for are nearly all found, both ways", arguments: [1, 2, 3] as [UInt64])
    func spread(seed: UInt64) {
        var random = Seeded(seed)
        let cache = PathCache.create(lines: 512, multiplier: random.next())
        defer { cache.destroy() }
        let stamp = PathCache.stamp(port: 1, seconds: 7, changes: 0, configuration: 0)
        let pairs = (0..<250 as Range<UInt64>).flatMap { [SIMD2(0x5254_0100_0000 + $0, 0x5254_0200_0000 + $0), SIMD2(0x5254_0200_0000 + $0, 0x5254_0100_0000 + $0)] }
        for (number, pair) in pairs.enumerated() { remember(cache, pair, stamp, UInt64(number), turn: 1) }
        let found = pairs.enumerated().filter { find(cache, $1, stamp) == UInt64($0) }.count
        // If addresses were spread at random, some 6 % would not find a place.
        #expect(found > 500 * 85 / 100)
    }
}
