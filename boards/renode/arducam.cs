// ArduCAM's module as firmware/hal/arducam drives it: a chip with registers and a memory behind SPI and a select pin, an
// OV2640 behind I2C. What it sees is a file of pictures (host/tinyengine/sim/camera_file.py), one after the other, again
// and again. Renode's own model has no identity of the sensor, and keeps a single file of JPEG.
using System.IO;

using Antmicro.Renode.Core;
using Antmicro.Renode.Exceptions;
using Antmicro.Renode.Logging;
using Antmicro.Renode.Peripherals.I2C;
using Antmicro.Renode.Peripherals.SPI;

namespace Antmicro.Renode.Peripherals.Sensors
{
    public class ArduCamOfPictures : ISPIPeripheral, II2CPeripheral, IGPIOReceiver
    {
        public ArduCamOfPictures()
        {
            sensor = new byte[2, 256];
            Reset();
        }

        public void Reset()
        {
            System.Array.Clear(sensor, 0, sensor.Length);
            sensor[1, 0x0A] = 0x26; // the identity of an OV2640
            sensor[1, 0x0B] = 0x42;
            bank = 0;
            pointer = 0;
            addressed = false;
            position = 0;
            test = 0;
            done = false;
            read = 0;
        }

        public string Pictures
        {
            get
            {
                return source;
            }

            set
            {
                try
                {
                    pictures = File.ReadAllBytes(value);
                }
                catch(IOException e)
                {
                    throw new RecoverableException("The pictures cannot be read: " + e.Message);
                }
                if(pictures.Length == 0 || pictures.Length % (3 * Pixels) != 0)
                {
                    throw new RecoverableException("The file does not hold whole pictures of 320 x 240 pixels");
                }
                source = value;
                taken = 0;
            }
        }

        // The select pin; it is low while the chip is meant.
        public void OnGPIO(int number, bool value)
        {
            position = 0;
        }

        public byte Transmit(byte data)
        {
            byte answer = 0;
            if(position == 0)
            {
                command = data;
            }
            else if((command & 0x80) != 0)
            {
                WriteRegister(command & 0x7F, data);
            }
            else
            {
                answer = ReadRegister(command);
            }
            position++;
            return answer;
        }

        void ISPIPeripheral.FinishTransmission()
        {
            position = 0;
        }

        // The first byte behind a start is a register's address, what follows goes there.
        public void Write(byte[] data)
        {
            foreach(var value in data)
            {
                if(!addressed)
                {
                    pointer = value;
                    addressed = true;
                }
                else if(pointer == 0xFF)
                {
                    bank = value & 1;
                }
                else
                {
                    sensor[bank, pointer] = value;
                }
            }
        }

        public byte[] Read(int count = 1)
        {
            var answer = new byte[count];
            for(var i = 0; i < count; i++)
            {
                answer[i] = sensor[bank, pointer];
            }
            return answer;
        }

        void II2CPeripheral.FinishTransmission()
        {
            addressed = false;
        }

        private void WriteRegister(int address, byte value)
        {
            if(address == 0x00)
            {
                test = value;
            }
            else if(address == 0x04)
            {
                if((value & 0x01) != 0)
                {
                    done = false;
                }
                if((value & 0x30) != 0)
                {
                    read = 0;
                }
                if((value & 0x02) != 0)
                {
                    TakePicture();
                }
            }
        }

        private byte ReadRegister(int address)
        {
            switch(address)
            {
                case 0x00:
                    return test;
                case 0x3C:
                    return read < memory.Length ? memory[read++] : (byte)0;
                case 0x41:
                    return done ? (byte)0x08 : (byte)0;
                case 0x42:
                    return (byte)memory.Length;
                case 0x43:
                    return (byte)(memory.Length >> 8);
                case 0x44:
                    return (byte)(memory.Length >> 16);
                default:
                    this.Log(LogLevel.Warning, "register 0x{0:X} is not modelled", address);
                    return 0;
            }
        }

        // Red, green and blue of 8 bits become the 16 bits of a pixel, the more significant byte first.
        private void TakePicture()
        {
            if(pictures == null)
            {
                this.Log(LogLevel.Warning, "there are no pictures: set Pictures");
                return;
            }
            var at = 3 * Pixels * (taken % (pictures.Length / (3 * Pixels)));
            for(var i = 0; i < Pixels; i++, at += 3)
            {
                var pixel = (pictures[at] >> 3) << 11 | (pictures[at + 1] >> 2) << 5 | pictures[at + 2] >> 3;
                memory[2 * i] = (byte)(pixel >> 8);
                memory[2 * i + 1] = (byte)pixel;
            }
            taken++;
            read = 0;
            done = true;
        }

        private string source;
        private byte[] pictures;
        private int taken;

        private readonly byte[] memory = new byte[2 * Pixels];
        private int read;
        private bool done;
        private byte test;
        private byte command;
        private int position;

        private readonly byte[,] sensor;
        private int bank;
        private int pointer;
        private bool addressed;

        private const int Pixels = 320 * 240;
    }
}
