import Foundation
import Testing

extension EndToEnd {
    @Suite("Programs that speak the control protocol", .needs(.hugepages))
    struct ClientTests {
        /// The program as it stands in the README, with another socket.
        @Test("the README's program in Python reads events", .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/python3"), "needs python3"))
        func python() throws {
            let text = try String(contentsOfFile: Build.repository + "/README.md", encoding: .utf8)
            let code = try #require(text.firstMatch(of: /```python\n((?s).*?)```/)).1.replacing("/run/sluice/control.sock", with: "SOCKET")
            try withLab { lab in
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports: [{name: vm1, type: vhost, bridge: br0, mode: server, socket: \(lab.path("vm1"))}]

                    """)
                #expect(code.contains("SOCKET") && code.split(separator: "\n").count <= 10)
                let client = try lab.start("python3", "-u", "-c", String(code.replacing("SOCKET", with: daemon.socket)))
                // A guest comes and goes until the program has told of one: it subscribes at a time of its own.
                try eventually("the program tells of the guest") {
                    let guest = try Frontend(lab.path("vm1"))
                    try guest.start()
                    try daemon.waitUntil(port: "vm1", is: "up")
                    return client.output.text.contains("vm1 a guest is connected")
                }
                client.signal(SIGTERM)
                _ = client.waitForExit(until: .after(10))
                daemon.stop()
            }
        }
    }
}
