import Measuring
import Testing

/// A device that loses nothing up to a load, and above it everything that exceeds that load. Sometimes the machine causes additional losses.
private struct Device {
    var ndr: Double
    var noise: Double
    var random = SplitMix(state: 11)

    mutating func loss(_ load: Int) -> Double {
        let own = max(0, 1 - ndr / Double(load))
        return random.next() < noise ? min(1, own + 0.02) : own
    }
}

struct SplitMix {
    var state: UInt64
    /// A random number from 0 to 1.
    mutating func next() -> Double {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return Double((z ^ z >> 31) >> 11) / 9_007_199_254_740_992
    }
}

@Suite struct RateSearchTests {
    private func search(_ device: inout Device, most: Int = 8_000_000, mostTrials: Int = 60) -> RateSearch {
        var search = RateSearch(goals: [0, 0.005], most: most, mostTrials: mostTrials)
        while let load = search.next {
            search.record(load: load, loss: device.loss(load))
            if search.trials > mostTrials { break }
        }
        return search
    }

    @Test(arguments: [90_000.0, 1_234_567, 5_300_000, 7_990_000]) func findsTheRatesOfAQuietDevice(ndr: Double) {
        var device = Device(ndr: ndr, noise: 0)
        let search = search(&device)
        #expect(Double(search.result(0)) <= ndr && Double(search.result(0)) >= ndr * 0.97)
        // 0.5 % are lost at a load that is 1/0.995 of what gets through.
        #expect(Double(search.result(0.005)) <= ndr / 0.995 && Double(search.result(0.005)) >= ndr * 0.97)
        #expect(search.result(0) <= search.result(0.005))
        #expect(search.trials <= 50)
    }

    @Test func takesAllWhenNothingIsLost() {
        var device = Device(ndr: 20_000_000, noise: 0)
        let search = search(&device)
        #expect(search.result(0) == 8_000_000 && search.trials == 2)
    }

    @Test func outvotesTheMachinesNoise() {
        var missed = 0
        for seed in 0..<200 as Range<UInt64> {
            var device = Device(ndr: 5_000_000, noise: 0.1, random: SplitMix(state: seed))
            let found = Double(search(&device).result(0))
            // The result must never exceed what the device can do.
            #expect(found <= 5_000_000)
            if found < 4_800_000 { missed += 1 }
        }
        #expect(missed < 40, "\(missed) of 200")
    }

    @Test func endsWhenItsTrialsAreUsedUp() {
        var device = Device(ndr: 0, noise: 0)
        var search = RateSearch(goals: [0], most: 10_000_000, mostTrials: 12)
        while let load = search.next { search.record(load: load, loss: device.loss(load)) }
        #expect(search.trials == 12 && search.result(0) == 0)
    }
}
