import ControlPlane
import Testing

@Suite struct RateTests {
    @Test func ratesArePerSecond() {
        let rate = ClassSample(frames: 30, bytes: 3_000).rate(since: ClassSample(frames: 10, bytes: 1_000), seconds: 2)
        #expect(rate?.bits == 8_000 && rate?.packets == 10)
    }

    /// A class that was given the id of a removed class may have counted more frames than that one, but fewer bytes.
    @Test func anotherClassOfTheSameIDHasNoRate() {
        #expect(ClassSample(frames: 20, bytes: 1_200).rate(since: ClassSample(frames: 10, bytes: 15_000), seconds: 1) == nil)
        #expect(ClassSample(frames: 5, bytes: 20_000).rate(since: ClassSample(frames: 10, bytes: 15_000), seconds: 1) == nil)
    }
}
