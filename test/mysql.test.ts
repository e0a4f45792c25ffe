import { machinesContract } from './machines.ts'
import { MysqlServer } from './support/mysql.ts'

machinesContract('MySQL', () => new MysqlServer())
