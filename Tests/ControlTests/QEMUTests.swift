import Configuration
import ControlAPI
import Testing

@Suite struct QEMUTests {
    private func reply(_ port: String, macs: String = "") throws -> QEMUReply {
        let model = try Model.checked(
            yaml: "bridges: [{name: br0}]\nports: [{name: vm1, bridge: br0, \(port)}]\n"
                + (macs.isEmpty ? "" : "guests: [{name: vm1, port: vm1, macs: [\(macs)]}]\n"))
        return try QEMUReply(port: model.ports[0], guests: model.guests)
    }

    @Test func clientMode() throws {
        let reply = try reply("type: vhost, socket: /run/sluice/vm1.sock, queues: 4, mtu: 9000", macs: "52:54:00:00:00:01")
        #expect(
            reply.arguments == [
                "-m", "1G", "-object", "memory-backend-memfd,id=mem,size=1G,share=on", "-machine", "memory-backend=mem",
                "-chardev", "socket,id=chr-vm1,path=/run/sluice/vm1.sock,server=on,wait=off",
                "-netdev", "vhost-user,id=net-vm1,chardev=chr-vm1,queues=4",
                "-device",
                "virtio-net-pci,netdev=net-vm1,mac=52:54:00:00:00:01,mq=on,vectors=10,host_mtu=9000,rx_queue_size=1024,tx_queue_size=1024",
            ])
        #expect(
            reply.libvirt == """
                <memoryBacking>
                  <source type='memfd'/>
                  <access mode='shared'/>
                </memoryBacking>
                <interface type='vhostuser'>
                  <mac address='52:54:00:00:00:01'/>
                  <source type='unix' path='/run/sluice/vm1.sock' mode='server'/>
                  <model type='virtio'/>
                  <driver queues='4' rx_queue_size='1024' tx_queue_size='1024'/>
                  <mtu size='9000'/>
                </interface>
                """)
    }

    @Test func serverMode() throws {
        let reply = try reply("type: vhost, socket: \"/run/a,b&c.sock\", mode: server")
        #expect(reply.arguments.contains("socket,id=chr-vm1,path=/run/a,,b&c.sock,reconnect=1"))
        #expect(reply.arguments.contains("vhost-user,id=net-vm1,chardev=chr-vm1"))
        #expect(reply.arguments.contains("virtio-net-pci,netdev=net-vm1,rx_queue_size=1024,tx_queue_size=1024"))
        #expect(reply.libvirt.contains("<source type='unix' path='/run/a,b&amp;c.sock' mode='client'>\n    <reconnect enabled='yes' timeout='1'/>"))
        #expect(!reply.libvirt.contains("mac"))
    }

    @Test func otherPorts() {
        #expect { try reply("type: tap, interface: tap0") } throws: {
            "\($0)" == "vm1 is no vhost port: QEMU connects to ports of type vhost"
        }
    }
}
