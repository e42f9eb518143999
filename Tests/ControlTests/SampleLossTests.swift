import ControlAPI
import ControlPlane
import Testing

@Suite("Lost samples of sFlow") struct SampleLossTests {
    @Test("a loss is told when it begins and when it has ended, and why it is")
    func telling() {
        var watch = SampleLossWatch(), events: [Event] = []
        func look(_ noRoom: UInt64, _ notSent: UInt64, _ problem: String? = nil, at now: Double) {
            if let event = watch.look(noRoom: noRoom, notSent: notSent, problem, now: now) { events.append(event) }
        }
        look(0, 0, at: 0)
        #expect(events.isEmpty)
        look(5, 0, at: 1)
        #expect(events.count == 1 && events[0].level == "warning" && events[0].count == 5)
        #expect(events[0].text == "samples for sFlow are lost: more are taken than can be sent: raise sampling under sflow")
        for second in 2...8 { look(UInt64(5 * second), 0, at: Double(second)) }
        look(40, 0, at: 17.9)
        #expect(events.count == 1)
        look(40, 0, at: 18)
        #expect(events.count == 2 && events[1].level == "notice" && events[1].text == "no more samples for sFlow are lost: 40 were")
        look(40, 1, "nobody listens", at: 30)
        #expect(events.count == 3 && events[2].text == "samples for sFlow are lost: nobody listens" && events[2].count == 1)
    }
}
